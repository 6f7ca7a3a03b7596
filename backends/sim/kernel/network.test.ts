import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeBytes, encodeText } from "../../../core/base/bytes.ts";
import { Errno } from "../../../core/base/errno.ts";
import { addressOf } from "../net/netlink.ts";
import { parsePrefix, type Prefix } from "../net/address.ts";
import { inProcess, readAllOf, readFile, smallHost } from "../testing/small-host.ts";
import type { Fd, Pid, SocketAddress, Sys } from "./sys.ts";

function prefix(text: string): Prefix {
  return parsePrefix(text) ?? assert.fail(text);
}

function inet(address: string, port: number): SocketAddress {
  return { family: "inet", address: addressOf(address), port };
}

function listening(sys: Sys, address: SocketAddress): Fd {
  const fd = sys.socket(address.family === "unix" ? "unix" : "stream");
  sys.bindSocket(fd, address);
  sys.listen(fd, 8);
  return fd;
}

/** Answers each client with what it said, in capitals. */
async function serveCapitals(sys: Sys, listener: Fd, clients: number): Promise<number> {
  for (let served = 0; served < clients; served++) {
    const { fd } = await sys.accept(listener);
    await sys.write(fd, encodeText((await readAllOf(sys, fd)).toUpperCase()));
    sys.close(fd);
  }
  return 0;
}

async function ask(sys: Sys, address: SocketAddress, question: string): Promise<string> {
  const fd = sys.socket(address.family === "unix" ? "unix" : "stream");
  await sys.connect(fd, address);
  await sys.write(fd, encodeText(question));
  sys.shutdown(fd, "write");
  const answer = await readAllOf(sys, fd);
  sys.close(fd);
  return answer;
}

async function errnoOf(act: () => unknown): Promise<string> {
  try {
    await act();
    return "none";
  } catch (thrown) {
    if (thrown instanceof Errno) return thrown.errno;
    throw thrown;
  }
}

/** A process in a network namespace of its own, wired to the host by a cable: 10.0.0.1 here, 10.0.0.2 there. */
async function wired(sys: Sys, body: (child: Sys) => Promise<number>): Promise<Pid> {
  const ready = sys.pipe();
  const told = sys.pipe();
  const pid = sys.fork(async (child) => {
    child.unshare(["network"]);
    await child.write(told.write, encodeText("x"));
    await child.read(ready.read, 1);
    const change = child.changeNetwork.bind(child);
    change({ do: "address.add", device: "eth0", prefix: prefix("10.0.0.2/24") });
    for (const name of ["lo", "eth0"]) change({ do: "link.set", name, to: { up: true } });
    return body(child);
  });
  await sys.read(told.read, 1);
  sys.changeNetwork({ do: "link.add", kind: "veth", name: "veth0", peer: { name: "eth0", namespaceOf: pid } });
  sys.changeNetwork({ do: "address.add", device: "veth0", prefix: prefix("10.0.0.1/24") });
  sys.changeNetwork({ do: "link.set", name: "veth0", to: { up: true } });
  await sys.write(ready.write, encodeText("x"));
  return pid;
}

test("two processes talk over the loopback device, blocking as they must", async () => {
  const answer = await inProcess(smallHost(), async (sys) => {
    const listener = listening(sys, inet("127.0.0.1", 8080));
    sys.fork((child) => serveCapitals(child, listener, 1));
    return ask(sys, inet("127.0.0.1", 8080), "hello");
  });
  assert.equal(answer, "HELLO");
});

test("a unix socket is a file: who may not write it may not connect, and a dead one refuses", async () => {
  const seen = await inProcess(smallHost(), async (sys) => {
    const listener = listening(sys, { family: "unix", path: "/tmp/s" });
    sys.fork((child) => serveCapitals(child, listener, 1));
    const answer = await ask(sys, { family: "unix", path: "/tmp/s" }, "hi");
    sys.close(listener);
    await sys.wait(-1);
    const asking = (path: string) => errnoOf(() => ask(sys, { family: "unix", path }, "hi"));
    const taken = await errnoOf(() => listening(sys, { family: "unix", path: "/tmp/s" }));
    return [answer, sys.stat("/tmp/s").kind, await asking("/tmp/s"), await asking("/tmp/none"), taken];
  });
  assert.deepEqual(seen, ["HI", "socket", "ECONNREFUSED", "ENOENT", "EADDRINUSE"]);
});

test("a network namespace of one's own has nothing in common with the host's", async () => {
  const codes = await inProcess(smallHost(), async (sys) => {
    listening(sys, inet("127.0.0.1", 8080));
    const pid = sys.fork(async (child) => {
      child.unshare(["network"]);
      assert.deepEqual(
        child.network().links.map(({ name, up }) => [name, up]),
        [["lo", false]],
      );
      assert.equal(await errnoOf(() => ask(child, inet("127.0.0.1", 8080), "x")), "ENETUNREACH");
      child.changeNetwork({ do: "link.set", name: "lo", to: { up: true } });
      assert.equal(await errnoOf(() => ask(child, inet("127.0.0.1", 8080), "x")), "ECONNREFUSED");
      listening(child, inet("127.0.0.1", 8080));
      return 0;
    });
    return sys.wait(pid);
  });
  assert.deepEqual(codes?.value, 0);
});

test("a cable joins two namespaces; it goes with the last process of one of them", async () => {
  const seen = await inProcess(smallHost(), async (sys) => {
    const pid = await wired(sys, async (child) => {
      const listener = listening(child, inet("0.0.0.0", 80));
      return serveCapitals(child, listener, 1);
    });
    await sys.sleep(1_000_000n);
    const answer = await ask(sys, inet("10.0.0.2", 80), "over the cable");
    const arp = await readFile(sys, "/proc/net/arp");
    await sys.wait(pid);
    await sys.sleep(20_000_000n);
    return { answer, arp: /^10\.0\.0\.2 +0x1 +0x2 /m.test(arp), links: sys.network().links.map(({ name }) => name) };
  });
  assert.deepEqual(seen, { answer: "OVER THE CABLE", arp: true, links: ["lo"] });
});

test("ping: an answer, silence about nobody, and who may ask", async () => {
  const seen = await inProcess(smallHost(), async (sys) => {
    const fd = sys.socket("echo");
    await sys.sendTo(fd, encodeText("data"), { address: addressOf("127.0.0.1"), port: 7 });
    const { sequence, bytes, kind, ttl } = await sys.echoAnswer(fd);
    const child = sys.fork(async (poor) => {
      poor.setCredentials({ uid: 1000, gid: 1000, groups: [] });
      poor.setCapabilities({ permitted: [], effective: [] });
      return (await errnoOf(() => poor.socket("echo"))) === "EACCES" ? 0 : 1;
    });
    const code = (await sys.wait(child))?.value;
    return [sequence, decodeBytes(bytes), kind, ttl, code];
  });
  assert.deepEqual(seen, [7, "data", "reply", 64, 0]);
});

test("ports below 1024 and changes of the network need their capabilities", async () => {
  const seen = await inProcess(smallHost(), async (sys) => {
    const errors: string[] = [];
    const child = sys.fork(async (poor) => {
      poor.setCapabilities({ permitted: [], effective: [] });
      errors.push(await errnoOf(() => listening(poor, inet("0.0.0.0", 80))));
      errors.push(await errnoOf(() => listening(poor, inet("0.0.0.0", 8080))));
      errors.push(await errnoOf(() => poor.changeNetwork({ do: "link.set", name: "lo", to: { up: false } })));
      return 0;
    });
    await sys.wait(child);
    return errors;
  });
  assert.deepEqual(seen, ["EACCES", "none", "EPERM"]);
});

test("calls on what is no socket, and socket calls of the wrong kind, say so", async () => {
  const seen = await inProcess(smallHost(), async (sys) => {
    const { read } = sys.pipe();
    const [stream, unix, datagram] = [sys.socket("stream"), sys.socket("unix"), sys.socket("datagram")];
    return Promise.all([
      errnoOf(() => sys.listen(read, 1)),
      errnoOf(() => sys.bindSocket(unix, inet("127.0.0.1", 1))),
      errnoOf(() => sys.bindSocket(stream, { family: "unix", path: "/tmp/x" })),
      errnoOf(() => sys.listen(datagram, 1)),
      errnoOf(() => sys.peerName(stream)),
      errnoOf(() => sys.sendTo(datagram, encodeText("x"), null)),
    ]);
  });
  assert.deepEqual(seen, ["ENOTSOCK", "EAFNOSUPPORT", "EAFNOSUPPORT", "EOPNOTSUPP", "ENOTCONN", "EDESTADDRREQ"]);
});
