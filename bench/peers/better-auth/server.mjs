// The smallest host for @better-auth/scim: better-auth's own in-memory adapter behind node:http.
// TOKEN is the bearer token. RELINK=1 links a created SCIM user to the Better Auth user that an earlier one left behind when it was
// deleted, by the library's own hook; the default refuses the e-mail address of such a user. Installed and started by ../better-auth.sh.
import { createServer } from "node:http";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { getAuthTables } from "better-auth/db";
import { toNodeHandler } from "better-auth/node";
import { scim } from "@better-auth/scim";

const port = Number(process.argv[2]);
const relink = {
  async resolveUser({ resource }, { database }) {
    const user = await database.findOne({ model: "user", where: [{ field: "email", value: resource.userName.toLowerCase() }] });
    return user ? { action: "link", userId: user.id, profile: "manage" } : { action: "create" };
  },
};
const options = {
  baseURL: `http://127.0.0.1:${port}`,
  secret: "for a server on loopback that holds invented people only",
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { level: "error" },
  plugins: [scim({ connections: [{ id: "judged", credentials: [{ type: "bearer", id: "judged", token: process.env.TOKEN }] }], ...(process.env.RELINK && { identity: relink }) })],
};
const tables = Object.fromEntries(Object.values(getAuthTables(options)).map(({ modelName }) => [modelName, []]));
const auth = betterAuth({ ...options, database: memoryAdapter(tables) });
createServer(toNodeHandler(auth)).listen(port, "127.0.0.1");
