// The smallest in-memory host for scimmy-routers + express, in the way its own
// documentation shows handlers: a Map per type, filters by SCIMMY's Filter.match.
// Installed and started by ../scimmy-routers.sh.
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";
import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
const token = process.env.TOKEN;
const port = Number(process.argv[2] ?? 9002);
function store(Resource, unique) {
  const map = new Map(), byUnique = new Map();
  return {
    ingress(resource, data) {
      const now = new Date().toISOString();
      const plain = JSON.parse(JSON.stringify(data));
      const key = String(plain[unique] ?? "").toLowerCase();
      const holder = byUnique.get(key);
      if (unique === "userName" && holder && holder !== resource.id) throw new SCIMMY.Types.Error(409, "uniqueness", "userName taken");
      if (resource.id) {
        const old = map.get(resource.id);
        if (!old) throw new SCIMMY.Types.Error(404, null, `Resource ${resource.id} not found`);
        const { meta: _, ...before } = old, { meta: __, ...after } = plain;
        if (isDeepStrictEqual(before, { ...after, id: resource.id })) return old;
        byUnique.delete(String(old[unique] ?? "").toLowerCase());
        const v = { ...plain, id: resource.id, meta: { ...old.meta, lastModified: now } };
        map.set(resource.id, v); byUnique.set(key, resource.id);
        return v;
      }
      const id = randomUUID();
      const v = { ...plain, id, meta: { created: now, lastModified: now } };
      map.set(id, v); byUnique.set(key, id);
      return v;
    },
    egress(resource) {
      if (resource.id) {
        const v = map.get(resource.id);
        if (!v) throw new SCIMMY.Types.Error(404, null, `Resource ${resource.id} not found`);
        return v;
      }
      const all = [...map.values()];
      return resource.filter ? resource.filter.match(all) : all;
    },
    degress(resource) {
      const old = map.get(resource.id);
      if (!old) throw new SCIMMY.Types.Error(404, null, "not found");
      map.delete(resource.id);
      byUnique.delete(String(old[unique] ?? "").toLowerCase());
    },
  };
}
const { User, Group } = SCIMMY.Resources;
User.extend(SCIMMY.Schemas.EnterpriseUser, false);
for (const [R, u] of [[User, "userName"], [Group, "displayName"]]) {
  const s = store(R, u);
  SCIMMY.Resources.declare(R, { ingress: s.ingress, egress: s.egress, degress: s.degress });
}
const app = express();
app.use("/scim", new SCIMMYRouters({
  type: "bearer",
  docUri: "https://example.com",
  baseUri: (req) => `${req.protocol}://${req.get("host")}`,
  handler(req) {
    if (token && req.get("authorization") !== `Bearer ${token}`) throw new Error("who are you?");
    return "someone";
  },
}));
app.listen(port, "127.0.0.1");
