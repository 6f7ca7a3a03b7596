import assert from "node:assert/strict";
import { test } from "node:test";
import { resolveUser } from "./user.ts";

const files = {
  passwd: [
    "root:x:0:0:root:/root:/bin/sh",
    "# a comment",
    "",
    "web:x:1000:1001:Web:/home/web:/bin/sh",
    "1234:x:5000:5000:a name of digits:/x:/bin/sh",
    "torn",
  ].join("\n"),
  group: ["root:x:0:", "wheel:x:10:root,web", "web:x:1001:", "video:x:44:web"].join("\n"),
};
const none = { passwd: "", group: "" };

test("users as docker finds them", () => {
  const table: [asked: string, uid: number, gid: number, groups: number[], home: string][] = [
    ["", 0, 0, [0, 10], "/root"],
    ["root", 0, 0, [0, 10], "/root"],
    ["0", 0, 0, [0, 10], "/root"],
    ["web", 1000, 1001, [1001, 10, 44], "/home/web"],
    ["1000", 1000, 1001, [1001, 10, 44], "/home/web"],
    ["web:video", 1000, 44, [44], "/home/web"],
    ["web:7", 1000, 7, [7], "/home/web"],
    [":video", 0, 44, [44], "/root"],
    ["4711", 4711, 0, [0], "/"],
    ["4711:10", 4711, 10, [10], "/"],
    ["1234", 1234, 0, [0], "/"],
  ];
  for (const [asked, uid, gid, additionalGids, home] of table)
    assert.deepEqual(resolveUser(asked, files, []), { uid, gid, additionalGids, home }, asked);
});

test("an image without the files has root and numbers", () => {
  assert.deepEqual(resolveUser("", none, []), { uid: 0, gid: 0, additionalGids: [0], home: "/" });
  assert.deepEqual(resolveUser("7:8", none, ["9"]), { uid: 7, gid: 8, additionalGids: [8, 9], home: "/" });
});

test("--group-add takes names and numbers", () => {
  assert.deepEqual(resolveUser("web", files, ["video", "99", "10"]).additionalGids, [1001, 10, 44, 99]);
});

test("what is not in its file is refused in docker's words", () => {
  const table: [asked: string, groupAdd: string[], message: string][] = [
    ["nosuch", [], "unable to find user nosuch: no matching entries in passwd file"],
    ["web:nosuch", [], "unable to find group nosuch: no matching entries in group file"],
    ["web", ["nosuch"], "Unable to find group nosuch"],
    ["4294967296", [], "uids and gids must be in range 0-2147483647"],
    ["-1", [], "uids and gids must be in range 0-2147483647"],
  ];
  for (const [asked, groupAdd, message] of table)
    assert.throws(() => resolveUser(asked, files, groupAdd), { code: "invalid", message });
});
