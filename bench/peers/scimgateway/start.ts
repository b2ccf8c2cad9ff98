// scimgateway's plugin-loki without the two users and groups that it loads for demonstrations.
// Installed and started by ../scimgateway.sh.
import { ScimGateway } from "scimgateway";
ScimGateway.prototype.getTestModeUsers = () => [];
ScimGateway.prototype.getTestModeGroups = () => [];
await import("./lib/plugin-loki.ts");
