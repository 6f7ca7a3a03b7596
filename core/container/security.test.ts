import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSecurity } from "./security.ts";

test("security options", () => {
  const defaults = { noNewPrivileges: false, seccomp: "default", systemPaths: "default" };
  assert.deepEqual(parseSecurity([]), defaults);
  assert.deepEqual(parseSecurity(["no-new-privileges", "label=disable", "apparmor=unconfined"]), {
    ...defaults,
    noNewPrivileges: true,
  });
  assert.deepEqual(parseSecurity(["no-new-privileges:false", "seccomp=unconfined", "systempaths=unconfined"]), {
    noNewPrivileges: false,
    seccomp: "unconfined",
    systemPaths: "unconfined",
  });
  for (const option of ["nosuch", "no-new-privileges=maybe", "systempaths=x"])
    assert.throws(() => parseSecurity([option]), { code: "invalid" }, option);
});
