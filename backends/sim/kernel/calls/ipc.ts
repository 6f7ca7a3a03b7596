/** System calls about System V IPC (sysvipc(7)) and POSIX message queues (mq_overview(7)). */
import { Errno } from "../../../../core/base/errno.ts";
import { permitRemoval } from "../../../../core/unionfs/access.ts";
import { shownIn } from "../ids.ts";
import type { IpcNamespace } from "../ipc/namespace.ts";
import {
  changeOwner,
  findOrMake,
  type IpcFlags,
  type IpcObject,
  type NewOwner,
  newObject,
  permitChange,
  permitObject,
  reading,
  seconds,
  writing,
} from "../ipc/objects.ts";
import { type Message, type MessageQueue, receive, type ReceiveOptions, send } from "../ipc/messages.ts";
import {
  checkAttributes,
  checkMessage,
  newQueue,
  type PosixMessage,
  type PosixQueue,
  type QueueAttributes,
  queueBytes,
  QueueChannel,
  queueName,
  queueStat,
  receiveFrom,
  sendTo,
} from "../ipc/queues.ts";
import {
  forgetUndos,
  operate,
  type SemaphoreOperation,
  type SemaphoreSet,
  setValues,
  valueMax,
  waitsFor,
} from "../ipc/semaphores.ts";
import { attach, checkSize, detach, doom, readMemory, type SharedMemory, writeMemory } from "../ipc/shared-memory.ts";
import { OpenFile, type WouldBlock, wouldBlock } from "../open-file.ts";
import { isCapable } from "../permission.ts";
import type { Fd, IpcStatus, MemoryStatus, MessageQueueStatus, OpenQueueOptions, SemaphoreStatus } from "../sys.ts";
import { NetworkCalls } from "./network.ts";

const attachmentStep = 0x1000_0000;

export class IpcCalls extends NetworkCalls {
  #ipc(): IpcNamespace {
    return this.self().namespaces.ipc;
  }

  #permit(object: IpcObject, asked: number): void {
    permitObject(this.self(), this.#ipc().owner, object, asked);
  }

  #permitChange(object: IpcObject): void {
    permitChange(this.self(), this.#ipc().owner, object);
  }

  #common(key: number, flags: IpcFlags): ReturnType<typeof newObject> {
    return newObject(this.self(), key, flags.mode ?? 0, this.now());
  }

  #status(object: IpcObject): IpcStatus {
    const { user } = this.process.namespaces;
    const { key, mode } = object;
    const owner = { uid: shownIn(user, "uids", object.uid), gid: shownIn(user, "gids", object.gid) };
    return { key, mode, ...owner };
  }

  #request(key: number, flags: IpcFlags): Parameters<typeof findOrMake>[1] {
    return { key, flags, process: this.self(), owner: this.#ipc().owner };
  }

  // Shared memory

  sharedMemory(key: number, size: number, flags: IpcFlags): number {
    const ipc = this.#ipc();
    const fits = (found: SharedMemory): void => {
      if (size > found.size) throw new Errno("EINVAL");
    };
    return findOrMake(ipc.memory, this.#request(key, flags), fits, () => {
      checkSize(ipc, size);
      const times = { attachedAt: 0n, detachedAt: 0n };
      const fresh = { size, bytes: new Uint8Array(0), attached: 0, creator: this.process.pid, lastPid: 0, ...times };
      return ipc.memory.add((id) => ({ ...this.#common(key, flags), id, ...fresh, isDoomed: false }));
    });
  }

  attachMemory(id: number, options: { readOnly?: boolean } = {}): number {
    const namespace = this.#ipc();
    const memory = namespace.memory.get(id);
    const isReadOnly = options.readOnly ?? false;
    this.#permit(memory, isReadOnly ? reading : reading | writing);
    const { attachments } = this.process;
    let address = attachmentStep;
    while (attachments.has(address)) address += attachmentStep;
    const attachment = { namespace, memory, isReadOnly };
    attachments.set(address, attachment);
    attach(attachment, this.process.pid, this.now());
    return address;
  }

  /** EINVAL when nothing is attached there. */
  detachMemory(address: number): void {
    const attachment = this.self().attachments.get(address);
    if (attachment === undefined) throw new Errno("EINVAL");
    this.process.attachments.delete(address);
    detach(attachment, this.process.pid, this.now());
  }

  #attachment(address: number): { readonly memory: SharedMemory; readonly isReadOnly: boolean } {
    const attachment = this.self().attachments.get(address);
    if (attachment === undefined) throw new Errno("EFAULT");
    return attachment;
  }

  readMemory(address: number, offset: number, length: number): Uint8Array {
    return readMemory(this.#attachment(address).memory, offset, length);
  }

  writeMemory(address: number, offset: number, bytes: Uint8Array): void {
    const { memory, isReadOnly } = this.#attachment(address);
    if (isReadOnly) throw new Errno("EFAULT");
    writeMemory(memory, offset, bytes);
  }

  memoryStatus(id: number): MemoryStatus {
    const memory = this.#ipc().memory.get(id);
    this.#permit(memory, reading);
    return { ...this.#status(memory), size: memory.size, attached: memory.attached };
  }

  removeMemory(id: number): void {
    const memory = this.#ipc().memory.get(id);
    this.#permitChange(memory);
    doom(this.#ipc(), memory);
  }

  changeMemory(id: number, owner: NewOwner): void {
    this.#changeOwner(this.#ipc().memory.get(id), owner);
  }

  #changeOwner(object: IpcObject, owner: NewOwner): void {
    this.#permitChange(object);
    changeOwner(object, owner, this.now());
  }

  // Semaphores

  semaphores(key: number, count: number, flags: IpcFlags): number {
    const ipc = this.#ipc();
    if (count < 0 || count > ipc.limits.semmsl) throw new Errno("EINVAL");
    const fits = (found: SemaphoreSet): void => {
      if (count > found.values.length) throw new Errno("EINVAL");
    };
    return findOrMake(ipc.semaphores, this.#request(key, flags), fits, () => {
      if (count === 0) throw new Errno("EINVAL");
      const held = ipc.semaphores.all.reduce((sum, { values }) => sum + values.length, 0);
      if (held + count > ipc.limits.semmns) throw new Errno("ENOSPC");
      const zeros = (): number[] => Array.from({ length: count }, () => 0);
      const fresh = { values: zeros(), pids: zeros(), operatedAt: 0n, waiting: { grow: zeros(), zero: zeros() } };
      return ipc.semaphores.add((id) => ({ ...this.#common(key, flags), id, ...fresh }));
    });
  }

  /** EAGAIN after the timeout (null: none). */
  operateSemaphores(id: number, operations: readonly SemaphoreOperation[], timeout: bigint | null): Promise<void> {
    const ipc = this.#ipc();
    if (operations.length === 0 || id < 0) throw new Errno("EINVAL");
    if (operations.length > ipc.limits.semopm) throw new Errno("E2BIG");
    const set = ipc.semaphores.get(id);
    if (operations.some(({ number }) => number < 0 || number >= set.values.length)) throw new Errno("EFBIG");
    this.#permit(set, operations.some(({ change }) => change !== 0) ? writing : reading);
    return this.#waitFor(set, operations, timeout === null ? null : this.now() + timeout);
  }

  async #waitFor(set: SemaphoreSet, operations: readonly SemaphoreOperation[], until: bigint | null): Promise<void> {
    let counted: ReturnType<typeof waitsFor> = null;
    const count = (by: 1 | -1): void => {
      if (counted !== null)
        set.waiting[counted.what][counted.number] = (set.waiting[counted.what][counted.number] ?? 0) + by;
    };
    const attempt = (): true | WouldBlock => {
      count(-1);
      counted = null;
      set.changes.watch();
      const { pid, undos } = this.process;
      const done = operate(set, operations, { pid, undos, now: this.now() });
      if (done !== wouldBlock) return done;
      if (until !== null && this.now() >= until) throw new Errno("EAGAIN");
      counted = waitsFor(set, operations);
      count(1);
      return wouldBlock;
    };
    this.process.endings.push(() => count(-1));
    try {
      await this.call(attempt, { at: until, watched: true });
    } finally {
      count(-1);
      counted = null;
    }
  }

  #semaphore(id: number, number: number, asked: number): SemaphoreSet {
    const set = this.#ipc().semaphores.get(id);
    if (number < 0 || number >= set.values.length) throw new Errno("EINVAL");
    this.#permit(set, asked);
    return set;
  }

  /** GETALL. */
  semaphoreStatus(id: number): SemaphoreStatus {
    const set = this.#semaphore(id, 0, reading);
    const { values, pids, waiting } = set;
    const shown = { values: [...values], pids: pids.map((pid) => this.shown(pid)) };
    return { ...this.#status(set), ...shown, growing: [...waiting.grow], zero: [...waiting.zero] };
  }

  /** SETVAL. ERANGE. */
  setSemaphore(id: number, number: number, value: number): void {
    // The kernel looks at the value before it looks for the set.
    if (value < 0 || value > valueMax) throw new Errno("ERANGE");
    const set = this.#semaphore(id, number, writing);
    forgetUndos(
      [...this.kernel.processes.values()].map(({ undos }) => undos),
      set,
      [number],
    );
    set.pids[number] = this.process.pid;
    set.changedAt = seconds(this.now());
    setValues(set, set.values.with(number, value));
  }

  removeSemaphores(id: number): void {
    const set = this.#ipc().semaphores.get(id);
    this.#permitChange(set);
    this.#ipc().semaphores.remove(set);
  }

  changeSemaphores(id: number, owner: NewOwner): void {
    this.#changeOwner(this.#ipc().semaphores.get(id), owner);
  }

  // Message queues

  messageQueue(key: number, flags: IpcFlags): number {
    const { messages, limits } = this.#ipc();
    const times = { sentAt: 0n, receivedAt: 0n };
    return findOrMake(
      messages,
      this.#request(key, flags),
      () => {},
      () => {
        const fresh = { messages: [], bytes: 0, bytesMax: limits.msgmnb, lastSender: 0, lastReceiver: 0, ...times };
        return messages.add((id) => ({ ...this.#common(key, flags), id, ...fresh }));
      },
    );
  }

  /** EINVAL for a type below 1 or too long a message, EAGAIN when it is full and `noWait`, EIDRM. */
  async sendMessage(id: number, message: Message, options: { noWait?: boolean } = {}): Promise<void> {
    const { messages, limits } = this.#ipc();
    if (message.bytes.length > limits.msgmax || id < 0 || message.type < 1) throw new Errno("EINVAL");
    const queue = messages.get(id);
    this.#permit(queue, writing);
    await this.call(
      () => {
        queue.changes.watch();
        const sent = send(queue, message, this.process.pid, this.now());
        if (sent === wouldBlock && options.noWait === true) throw new Errno("EAGAIN");
        return sent;
      },
      { watched: true },
    );
  }

  receiveMessage(id: number, length: number, type: number, options: ReceiveOptions = {}): Promise<Message> {
    if (id < 0 || length < 0) throw new Errno("EINVAL");
    const queue = this.#ipc().messages.get(id);
    this.#permit(queue, reading);
    return this.call(
      () => {
        queue.changes.watch();
        const message = receive(queue, { length, type, options }, this.process.pid, this.now());
        if (message === wouldBlock && options.noWait === true) throw new Errno("ENOMSG");
        return message;
      },
      { watched: true },
    );
  }

  messageQueueStatus(id: number): MessageQueueStatus {
    const queue = this.#ipc().messages.get(id);
    this.#permit(queue, reading);
    const { bytes, bytesMax, messages } = queue;
    return { ...this.#status(queue), bytes, bytesMax, count: messages.length };
  }

  /** More bytes than the namespace's limit take CAP_SYS_RESOURCE. */
  changeMessageQueue(id: number, { bytesMax, ...owner }: NewOwner & { readonly bytesMax?: number }): void {
    const { messages, limits, owner: user } = this.#ipc();
    const queue: MessageQueue = messages.get(id);
    this.#permitChange(queue);
    const isMore = bytesMax !== undefined && bytesMax > limits.msgmnb;
    if (isMore && !isCapable(this.process, "CAP_SYS_RESOURCE", user)) throw new Errno("EPERM");
    changeOwner(queue, owner, this.now());
    queue.bytesMax = bytesMax ?? queue.bytesMax;
    queue.changes.tell();
  }

  removeMessageQueue(id: number): void {
    const queue = this.#ipc().messages.get(id);
    this.#permitChange(queue);
    this.#ipc().messages.remove(queue);
  }

  // POSIX message queues

  openQueue(path: string, options: OpenQueueOptions): Fd {
    const name = queueName(path);
    const { queues } = this.#ipc();
    const found = queues.get(name);
    if (found === undefined && options.create !== true) throw new Errno("ENOENT", path);
    if (found !== undefined && options.create === true && options.exclusive === true) throw new Errno("EEXIST", path);
    const queue = found ?? this.#makeQueue(name, options);
    const access = { read: options.access !== "write", write: options.access !== "read" };
    if (found !== undefined && access.read) this.permit(queue.stat, "read", path);
    if (found !== undefined && access.write) this.permit(queue.stat, "write", path);
    const place = { location: null, path };
    return this.install(new OpenFile(new QueueChannel(queue), access, place, options.nonBlocking ?? false));
  }

  #makeQueue(name: string, options: OpenQueueOptions): PosixQueue {
    const { queues, limits, owner: user } = this.#ipc();
    const isUnlimited = isCapable(this.self(), "CAP_SYS_RESOURCE", user);
    const standard = { messagesMax: limits.msg_default, bytesMax: limits.msgsize_default };
    const attributes = options.attributes ?? standard;
    if (options.attributes !== undefined) checkAttributes(attributes, limits, isUnlimited);
    if (queues.size >= limits.queues_max && !isUnlimited) throw new Errno("ENOSPC", name);
    this.#checkQueueBytes(attributes);
    const { uid, gid, umask } = this.process;
    const owner = { uid, gid, mode: (options.mode ?? 0o600) & 0o7777 & ~umask };
    const queue = newQueue(queueStat(owner, this.kernel.newInode(), this.now()), attributes);
    queues.set(name, queue);
    return queue;
  }

  /** RLIMIT_MSGQUEUE counts all of a user's queues. EMFILE. */
  #checkQueueBytes(attributes: QueueAttributes): void {
    const { soft } = this.limit("msgqueue");
    const own = [...this.#ipc().queues.values()].filter(({ stat }) => stat.uid === this.process.uid);
    const held = own.reduce((sum, queue) => sum + queueBytes(queue), 0);
    if (soft !== -1 && held + queueBytes(attributes) > soft) throw new Errno("EMFILE");
  }

  unlinkQueue(path: string): void {
    const name = queueName(path);
    const { queues } = this.#ipc();
    const queue = queues.get(name);
    if (queue === undefined) throw new Errno("ENOENT", path);
    permitRemoval(this.files.view.actor, { ...queue.stat, uid: 0, gid: 0, mode: 0o1777 }, queue.stat);
    queues.delete(name);
  }

  #queue(fd: Fd, access: "read" | "write"): { readonly queue: PosixQueue; readonly file: OpenFile } {
    const file = this.file(fd);
    if (!(file.channel instanceof QueueChannel) || !file.access[access]) throw new Errno("EBADF");
    return { queue: file.channel.queue, file };
  }

  /** EAGAIN on a descriptor that does not block, ETIMEDOUT after the time. */
  async sendQueue(fd: Fd, message: PosixMessage, timeout: bigint | null): Promise<void> {
    if (message.priority < 0 || message.priority >= 32_768) throw new Errno("EINVAL");
    const { queue, file } = this.#queue(fd, "write");
    checkMessage(queue, message);
    await this.#whenPossible(() => sendTo(queue, message), file, timeout);
  }

  /** EMSGSIZE for room for less than the longest message. */
  receiveQueue(fd: Fd, length: number, timeout: bigint | null): Promise<PosixMessage> {
    const { queue, file } = this.#queue(fd, "read");
    if (length < queue.bytesMax) throw new Errno("EMSGSIZE");
    return this.#whenPossible(() => receiveFrom(queue), file, timeout);
  }

  #whenPossible<T>(act: () => T | WouldBlock, file: OpenFile, timeout: bigint | null): Promise<T> {
    const until = timeout === null ? null : this.now() + timeout;
    const attempt = (): T | WouldBlock => {
      const done = act();
      if (done === wouldBlock && file.nonBlocking) throw new Errno("EAGAIN");
      if (done === wouldBlock && until !== null && this.now() >= until) throw new Errno("ETIMEDOUT");
      return done;
    };
    return this.call(attempt, { at: until, watched: true });
  }

  queueAttributes(fd: Fd): QueueAttributes & { readonly count: number; readonly nonBlocking: boolean } {
    const file = this.file(fd);
    if (!(file.channel instanceof QueueChannel)) throw new Errno("EBADF");
    const { messagesMax, bytesMax, messages } = file.channel.queue;
    return { messagesMax, bytesMax, count: messages.length, nonBlocking: file.nonBlocking };
  }
}
