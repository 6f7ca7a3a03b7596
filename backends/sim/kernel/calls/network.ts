/** System calls about the network: sockets, and the requests of rtnetlink(7). */
import { Errno } from "../../../../core/base/errno.ts";
import type { EchoAnswer } from "../../net/ping-socket.ts";
import { type NetlinkChange, type NetworkView, change, view } from "../../net/netlink.ts";
import type { Endpoint } from "../../net/packet.ts";
import {
  DatagramSocket,
  EchoSocket,
  isInetSocket,
  type Received,
  type Socket,
  type SocketOptions,
  StreamSocket,
} from "../../net/socket.ts";
import { type UnixNames, UnixSocket } from "../../net/unix-socket.ts";
import { type Channel, OpenFile, type WouldBlock, wouldBlock } from "../open-file.ts";
import type { Fd, Pid, SocketAddress, SocketKind } from "../sys.ts";
import { IsolationCalls } from "./isolation.ts";

const both = { read: true, write: true };

export class NetworkCalls extends IsolationCalls {
  socket(kind: SocketKind): Fd {
    this.unrefused("socket");
    return this.#installSocket(this.#newSocket(kind));
  }

  #newSocket(kind: SocketKind): Channel {
    const { stack } = this.self().namespaces.network;
    const newInode = (): number => this.kernel.newInode();
    switch (kind) {
      case "stream":
        return new StreamSocket(stack, newInode);
      case "datagram":
        return new DatagramSocket(stack, newInode);
      case "echo":
        this.#mayPing();
        return new EchoSocket(stack, newInode);
      case "unix":
        return new UnixSocket(this.#me(), newInode, this.now());
    }
  }

  #me(): { pid: Pid; uid: number; gid: number } {
    const { pid, uid, gid } = this.process;
    return { pid, uid, gid };
  }

  /** ping_group_range, or CAP_NET_RAW. */
  #mayPing(): void {
    const { gid, groups, namespaces } = this.process;
    const [first, last] = namespaces.network.stack.settings.pingGroups;
    if ([gid, ...groups].some((group) => group >= first && group <= last)) return;
    if (!this.can("CAP_NET_RAW", namespaces.network.owner)) throw new Errno("EACCES");
  }

  bindSocket(fd: Fd, address: SocketAddress): void {
    this.unrefused("bind");
    if (address.family === "unix") return this.#bindUnix(this.#unix(fd), address.path);
    const { stack, owner } = this.process.namespaces.network;
    const isPrivileged = address.port > 0 && address.port < stack.settings.firstUnprivilegedPort;
    if (isPrivileged && !this.can("CAP_NET_BIND_SERVICE", owner)) throw new Errno("EACCES");
    this.#inet(fd).bind(address);
  }

  #bindUnix(socket: UnixSocket, path: string): void {
    if (path.startsWith("@")) return socket.bind(this.process.namespaces.network.abstractNames, path);
    try {
      this.makeNode(path, "socket", 0o777);
    } catch (thrown) {
      throw thrown instanceof Errno && thrown.errno === "EEXIST" ? new Errno("EADDRINUSE", path) : thrown;
    }
    const { names, key } = this.#unixName(path);
    socket.bind(names, key);
  }

  /** What a path names to unix sockets: the file, whatever it is called (unix(7)). */
  #unixName(path: string): { names: UnixNames; key: string } {
    if (path.startsWith("@")) return { names: this.process.namespaces.network.abstractNames, key: path };
    const location = this.locationOf(path);
    const stat = this.statAt(location);
    if (stat.kind !== "socket") throw new Errno("ECONNREFUSED", path);
    this.permit(stat, "write", path);
    return { names: this.kernel.unixNames(this.fileSystem(location)), key: String(location.inode) };
  }

  listen(fd: Fd, backlog: number): void {
    this.unrefused("listen");
    const { channel } = this.file(fd);
    if (channel instanceof UnixSocket) channel.listen(backlog);
    else this.#inet(fd).listen(backlog);
  }

  async accept(fd: Fd): Promise<{ fd: Fd; from: SocketAddress }> {
    this.unrefused("accept");
    const file = this.file(fd);
    const { channel } = file;
    if (channel instanceof UnixSocket) {
      const socket = await this.#wait(file, () => channel.accept());
      return { fd: this.#installSocket(socket), from: { family: "unix", path: "" } };
    }
    const { socket, from } = await this.#wait(file, () => this.#inet(fd).accept());
    return { fd: this.#installSocket(socket), from: { family: "inet", ...from } };
  }

  async connect(fd: Fd, address: SocketAddress): Promise<void> {
    this.unrefused("connect");
    const file = this.file(fd);
    await this.#wait(file, () => this.#connectOnce(fd, address), "EINPROGRESS");
  }

  #connectOnce(fd: Fd, address: SocketAddress): true | WouldBlock {
    if (address.family === "inet") return this.#inet(fd).connect(address);
    const { names, key } = this.#unixName(address.path);
    return this.#unix(fd).connect(names, key);
  }

  async sendTo(fd: Fd, bytes: Uint8Array, to: Endpoint | null): Promise<number> {
    this.unrefused("sendto");
    const sent = await this.#wait(this.file(fd), () => this.#inet(fd).send(bytes, to));
    this.spendBytes(sent);
    return sent;
  }

  async receiveFrom(fd: Fd, length: number): Promise<Received> {
    this.unrefused("recvfrom");
    const received = await this.#wait(this.file(fd), () => this.#inet(fd).receive(length));
    this.spendBytes(received.bytes.length);
    return received;
  }

  echoAnswer(fd: Fd): Promise<EchoAnswer> {
    const { channel } = this.file(fd);
    if (!(channel instanceof EchoSocket)) throw new Errno("EOPNOTSUPP");
    return this.#wait(this.file(fd), () => channel.answer());
  }

  shutdown(fd: Fd, how: "read" | "write" | "both"): void {
    const { channel } = this.file(fd);
    if (channel instanceof UnixSocket) channel.shutdown(how);
    else this.#inet(fd).shutdown(how);
  }

  setSocketOptions(fd: Fd, options: SocketOptions): void {
    this.#inet(fd).set(options);
  }

  socketName(fd: Fd): Endpoint {
    return this.#inet(fd).local();
  }

  peerName(fd: Fd): Endpoint {
    return this.#inet(fd).remote();
  }

  network(): NetworkView {
    return view(this.self().namespaces.network.stack);
  }

  changeNetwork(request: NetlinkChange): void {
    const { network } = this.self().namespaces;
    this.need("CAP_NET_ADMIN", network.owner);
    change(network.stack, request, (pid) => {
      const other = this.peer(pid).namespaces.network;
      this.need("CAP_NET_ADMIN", other.owner);
      return other.stack;
    });
  }

  #wait<T>(file: OpenFile, attempt: () => T | WouldBlock, errno: "EAGAIN" | "EINPROGRESS" = "EAGAIN"): Promise<T> {
    return this.call(() => {
      const result = attempt();
      if (result === wouldBlock && file.nonBlocking) throw new Errno(errno);
      return result;
    });
  }

  #installSocket(socket: Channel): Fd {
    return this.install(new OpenFile(socket, both, { location: null, path: `socket:[${socket.stat().inode}]` }));
  }

  #inet(fd: Fd): Socket {
    const { channel } = this.file(fd);
    if (channel instanceof UnixSocket) throw new Errno("EAFNOSUPPORT");
    if (!isInetSocket(channel)) throw new Errno("ENOTSOCK");
    return channel;
  }

  #unix(fd: Fd): UnixSocket {
    const { channel } = this.file(fd);
    if (!(channel instanceof UnixSocket)) throw new Errno("EAFNOSUPPORT");
    return channel;
  }
}
