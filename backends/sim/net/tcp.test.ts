import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, decodeBytes, encodeText } from "../../../core/base/bytes.ts";
import { Errno } from "../../../core/base/errno.ts";
import { wouldBlock } from "../kernel/open-file.ts";
import { anyAddress } from "./address.ts";
import { StreamSocket, type Socket } from "./socket.ts";
import type { Stack } from "./stack.ts";
import { address, Lab, prefix } from "./testing/lab.ts";

interface Pair {
  readonly lab: Lab;
  readonly host: Stack;
  readonly client: Stack;
  readonly server: Stack;
}

function pair(): Pair {
  const lab = new Lab();
  const { host, containers } = lab.bridged(2);
  const [client, server] = containers as [Stack, Stack];
  return { lab, host, client, server };
}

function listening(lab: Lab, stack: Stack, port: number, backlog = 8): Socket {
  const socket = new StreamSocket(stack, lab.newInode);
  socket.bind({ address: anyAddress, port });
  socket.listen(backlog);
  return socket;
}

function accepted(listener: Socket): Socket {
  const taken = listener.accept();
  assert.notEqual(taken, wouldBlock);
  return (taken as { socket: Socket }).socket;
}

/** Errors of connecting come when it is asked again. */
function connected(lab: Lab, stack: Stack, to: string, port: number, seconds = 1): Socket {
  const socket = new StreamSocket(stack, lab.newInode);
  const remote = { address: address(to), port };
  assert.equal(socket.connect(remote), wouldBlock);
  lab.run(seconds);
  assert.equal(socket.connect(remote), true);
  return socket;
}

function readAll(lab: Lab, socket: Socket): string {
  const chunks: Uint8Array[] = [];
  for (;;) {
    lab.run(1);
    const chunk = socket.read(10_000);
    if (chunk === wouldBlock || chunk.length === 0) return decodeBytes(concat(chunks));
    chunks.push(chunk);
  }
}

test("a connection opens, carries bytes both ways, and ends", () => {
  const { lab, client, server } = pair();
  const listener = listening(lab, server, 80);
  const mine = connected(lab, client, "172.17.0.3", 80);
  const theirs = accepted(listener);
  mine.write(encodeText("GET / HTTP/1.0\r\n\r\n"));
  assert.equal(readAll(lab, theirs), "GET / HTTP/1.0\r\n\r\n");
  theirs.write(encodeText("hello"));
  theirs.close();
  assert.equal(readAll(lab, mine), "hello");
  mine.close();
  lab.run(61);
  assert.equal(client.sockets.connections.size + server.sockets.connections.size, 0);
});

test("whoever closes first keeps the name for a minute", () => {
  const { lab, client, server } = pair();
  const listener = listening(lab, server, 80);
  const mine = connected(lab, client, "172.17.0.3", 80);
  accepted(listener).close();
  lab.run(1);
  mine.close();
  lab.run(1);
  assert.deepEqual(
    [...server.sockets.connections.values()].map(({ state }) => state),
    ["TIME_WAIT"],
  );
  assert.equal(client.sockets.connections.size, 0);
  listener.close();
  const again = new StreamSocket(server, lab.newInode);
  assert.throws(() => again.bind({ address: anyAddress, port: 80 }), { errno: "EADDRINUSE" });
  again.set({ reuseAddress: true });
  again.bind({ address: anyAddress, port: 80 });
});

test("a megabyte goes through a window of 64 KiB in order", () => {
  const { lab, client, server } = pair();
  const listener = listening(lab, server, 80);
  const mine = connected(lab, client, "172.17.0.3", 80);
  const theirs = accepted(listener);
  const sent = Uint8Array.from({ length: 1_000_003 }, (_, at) => (at * 7) % 251);
  const received: Uint8Array[] = [];
  for (let at = 0; at < sent.length || received.reduce((sum, { length }) => sum + length, 0) < sent.length; ) {
    const taken = mine.write(sent.subarray(at));
    if (taken !== wouldBlock) at += taken;
    lab.run(0.01);
    for (let chunk = theirs.read(5000); chunk !== wouldBlock; chunk = theirs.read(5000)) received.push(chunk);
  }
  assert.deepEqual(concat(received), sent);
});

test("a reader that sleeps stops the writer, and lets it go on when it wakes", () => {
  const { lab, client, server } = pair();
  const listener = listening(lab, server, 80);
  const mine = connected(lab, client, "172.17.0.3", 80);
  const theirs = accepted(listener);
  let written = 0;
  for (
    let taken = mine.write(new Uint8Array(50_000));
    taken !== wouldBlock;
    taken = mine.write(new Uint8Array(50_000))
  ) {
    written += taken;
    lab.run(5);
  }
  assert.equal(written, 262_144 + 65_535);
  let read = 0;
  for (let tries = 0; read < written && tries < 1000; tries++) {
    lab.run(2);
    const chunk = theirs.read(20_000);
    if (chunk !== wouldBlock) read += chunk.length;
  }
  assert.equal(read, written);
});

test("what a cable loses is sent again", () => {
  const { lab, host, client, server } = pair();
  const listener = listening(lab, server, 80);
  const mine = connected(lab, client, "172.17.0.3", 80);
  const theirs = accepted(listener);
  host.device("veth1").up = false;
  mine.write(encodeText("lost and "));
  lab.run(1);
  mine.write(encodeText("found"));
  mine.shutdown("write");
  lab.run(0.5);
  host.device("veth1").up = true;
  lab.run(30);
  assert.equal(readAll(lab, theirs), "lost and found");
  assert.deepEqual(theirs.read(1), new Uint8Array(0));
});

test("connecting fails as it does on Linux: refused, unreachable, timed out", () => {
  const { lab, host, client } = pair();
  assert.throws(() => connected(lab, client, "172.17.0.3", 81), { errno: "ECONNREFUSED" });
  assert.throws(() => connected(lab, client, "172.17.0.77", 80, 10), { errno: "EHOSTUNREACH" });
  assert.throws(() => connected(lab, lab.stack(), "172.17.0.3", 80), { errno: "ENETUNREACH" });
  host.filter.add({ chain: "input", match: { destinationPort: 9 }, verdict: { kind: "drop" }, comment: "test" });
  assert.throws(() => connected(lab, client, "172.17.0.1", 9, 200), { errno: "ETIMEDOUT" });
});

test("writing to an end that is gone is a reset, then a broken pipe", () => {
  const { lab, client, server } = pair();
  const listener = listening(lab, server, 80);
  const mine = connected(lab, client, "172.17.0.3", 80);
  const theirs = accepted(listener);
  mine.write(encodeText("unread"));
  lab.run(1);
  theirs.close();
  lab.run(1);
  assert.throws(() => mine.read(1), { errno: "ECONNRESET" });
  assert.throws(() => mine.write(encodeText("x")), { errno: "EPIPE" });
});

test("a backlog that is full leaves the client asking", () => {
  const { lab, client, server } = pair();
  const listener = listening(lab, server, 80, 0);
  const first = connected(lab, client, "172.17.0.3", 80);
  const second = new StreamSocket(client, lab.newInode);
  const remote = { address: address("172.17.0.3"), port: 80 };
  second.connect(remote);
  lab.run(1);
  assert.equal(second.connect(remote), wouldBlock);
  accepted(listener);
  lab.run(10);
  assert.equal(second.connect(remote), true);
  first.close();
});

test("a published port leads to the container, from outside and from the host", () => {
  const { lab, host, server } = pair();
  const listener = listening(lab, server, 80);
  const far = lab.stack();
  lab.connect(host, "10.0.0.1/24", far, "10.0.0.2/24", "wan0");
  host.settings.forward = true;
  const verdict = { kind: "dnat", address: address("172.17.0.3"), port: 80 } as const;
  const match = { protocol: "tcp", destinationPort: 8080, destinationIsLocal: true } as const;
  host.filter.add({ chain: "prerouting", match, verdict, comment: "publish" });
  host.filter.add({ chain: "output", match, verdict, comment: "publish" });
  const masquerade = { match: { source: prefix("172.17.0.0/16"), notOutDevice: "docker0" }, comment: "masquerade" };
  host.filter.add({ ...masquerade, chain: "postrouting", verdict: { kind: "masquerade" } });
  for (const [stack, to] of [
    [far, "10.0.0.1"],
    [host, "10.0.0.1"],
  ] as const) {
    const mine = connected(lab, stack, to, 8080);
    const theirs = accepted(listener);
    theirs.write(encodeText("from the container"));
    theirs.close();
    assert.equal(readAll(lab, mine), "from the container");
    mine.close();
    lab.run(1);
  }
});

test("random traffic over a cable that fails now and then arrives whole", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { lab, host, client, server } = pair();
    const listener = listening(lab, server, 80);
    const mine = connected(lab, client, "172.17.0.3", 80);
    const theirs = accepted(listener);
    const chance = (limit: number): number => lab.network.chance(limit);
    for (let skip = 0; skip < seed; skip++) chance(2);
    let sent = 0;
    let received = 0;
    const total = 100_000;
    for (let turn = 0; turn < 3000 && received < total; turn++) {
      if (sent < total) {
        const taken = mine.write(
          Uint8Array.from({ length: Math.min(1 + chance(9000), total - sent) }, (_, at) => sent + at),
        );
        if (taken !== wouldBlock) sent += taken;
      }
      host.device("veth0").up = chance(4) !== 0;
      lab.run(chance(100) / 100);
      const chunk = theirs.read(1 + chance(7000));
      if (chunk === wouldBlock) continue;
      for (const [at, byte] of chunk.entries()) assert.equal(byte, (received + at) & 255, `seed ${seed}`);
      received += chunk.length;
    }
    assert.equal(received, total, `seed ${seed}: ${sent} sent`);
  }
});

test("a socket says what it cannot do", () => {
  const { lab, client } = pair();
  const socket = new StreamSocket(client, lab.newInode);
  const refused: [() => unknown, string][] = [
    [() => socket.read(1), "ENOTCONN"],
    [() => socket.remote(), "ENOTCONN"],
    [() => socket.accept(), "EINVAL"],
    [() => socket.write(encodeText("x")), "EPIPE"],
    [() => socket.bind({ address: address("9.9.9.9"), port: 1 }), "EADDRNOTAVAIL"],
  ];
  for (const [act, errno] of refused)
    assert.throws(act, (thrown) => thrown instanceof Errno && thrown.errno === errno, errno);
});
