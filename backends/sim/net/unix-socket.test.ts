import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeBytes, encodeText } from "../../../core/base/bytes.ts";
import { wouldBlock } from "../kernel/open-file.ts";
import { UnixNames, UnixSocket } from "./unix-socket.ts";

let inode = 0;
const newInode = (): number => ++inode;
const socket = (pid: number): UnixSocket => new UnixSocket({ pid, uid: pid, gid: pid }, newInode, 0n);

function text(bytes: Uint8Array | typeof wouldBlock): string {
  return bytes === wouldBlock ? "nothing yet" : decodeBytes(bytes);
}

test("a listener accepts, both ends talk, each knows who the other is, the end arrives", () => {
  const names = new UnixNames();
  const server = socket(1);
  server.bind(names, "/run/s");
  server.listen(5);
  assert.equal(server.accept(), wouldBlock);
  const client = socket(2);
  assert.equal(client.connect(names, "/run/s"), true);
  const accepted = server.accept();
  assert.ok(accepted !== wouldBlock);
  client.write(encodeText("hello"));
  assert.equal(text(accepted.read(3)), "hel");
  assert.equal(text(accepted.read(3)), "lo");
  assert.equal(text(accepted.read(3)), "nothing yet");
  assert.deepEqual([client.peer().pid, accepted.peer().pid], [1, 2]);
  accepted.write(encodeText("bye"));
  accepted.close();
  assert.equal(text(client.read(10)), "bye");
  assert.equal(text(client.read(10)), "");
  assert.throws(() => client.write(encodeText("x")), { errno: "EPIPE" });
});

test("names are refused when taken, unknown, or nobody listens", () => {
  const names = new UnixNames();
  const first = socket(1);
  first.bind(names, "@a");
  assert.throws(() => socket(2).bind(names, "@a"), { errno: "EADDRINUSE" });
  assert.throws(() => socket(2).connect(names, "@a"), { errno: "ECONNREFUSED" });
  assert.throws(() => socket(2).connect(names, "@b"), { errno: "ECONNREFUSED" });
  first.close();
  socket(3).bind(names, "@a");
});

test("a full backlog and a full queue make the other side wait", () => {
  const names = new UnixNames();
  const server = socket(1);
  server.bind(names, "/s");
  server.listen(1);
  const client = socket(2);
  assert.equal(client.connect(names, "/s"), true);
  assert.equal(socket(3).connect(names, "/s"), wouldBlock);
  assert.equal(client.write(new Uint8Array(300_000)), 212_992);
  assert.equal(client.write(new Uint8Array(1)), wouldBlock);
});

test("a pair is two ends of one connection", () => {
  const [one, other] = UnixSocket.pair({ pid: 7, uid: 0, gid: 0 }, newInode, 0n);
  one.write(encodeText("x"));
  one.shutdown("write");
  assert.equal(text(other.read(9)), "x");
  assert.equal(text(other.read(9)), "");
  other.write(encodeText("y"));
  assert.equal(text(one.read(9)), "y");
});
