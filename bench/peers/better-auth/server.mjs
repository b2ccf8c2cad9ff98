// The smallest host for @better-auth/scim: better-auth's own in-memory adapter behind node:http.
// TOKEN is the bearer token. Installed and started by ../better-auth.sh.
import { createServer } from "node:http";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { getAuthTables } from "better-auth/db";
import { toNodeHandler } from "better-auth/node";
import { scim } from "@better-auth/scim";

const port = Number(process.argv[2]);
const options = {
  baseURL: `http://127.0.0.1:${port}`,
  secret: "for a server on loopback that holds invented people only",
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { level: "error" },
  plugins: [scim({ connections: [{ id: "judged", credentials: [{ type: "bearer", id: "judged", token: process.env.TOKEN }] }] })],
};
const tables = Object.fromEntries(Object.values(getAuthTables(options)).map(({ modelName }) => [modelName, []]));
const auth = betterAuth({ ...options, database: memoryAdapter(tables) });
createServer(toNodeHandler(auth)).listen(port, "127.0.0.1");
