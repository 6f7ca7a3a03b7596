/** What /proc tells of an IPC namespace, the reader's: /proc/sysvipc (proc(5)), and its limits in /proc/sys. */
import { Errno } from "../../../../core/base/errno.ts";
import { shownIn } from "../ids.ts";
import { numberIn, type Process } from "../process.ts";
import { directory, setting, type SyntheticDirectory, type SyntheticFile, text } from "../synthetic.ts";
import { type IpcLimits, noLimit, noLimitText } from "./namespace.ts";
import type { IpcObject } from "./objects.ts";

/** Numbers of processes and users as the reader knows them. */
interface Reader {
  readonly process: Process;
  pid(pid: number): number;
}

type Column = readonly [width: number, value: string | number | bigint];

function owners(reader: Reader, { uid, gid, creatorUid, creatorGid }: IpcObject): Column[] {
  const { user } = reader.process.namespaces;
  return [
    [5, shownIn(user, "uids", uid)],
    [5, shownIn(user, "gids", gid)],
    [5, shownIn(user, "uids", creatorUid)],
    [5, shownIn(user, "gids", creatorGid)],
  ];
}

function head({ key, id, mode }: IpcObject): Column[] {
  return [
    [10, key],
    [10, id],
    [5, mode.toString(8)],
  ];
}

function line(columns: readonly Column[]): string {
  return `${columns.map(([width, value]) => String(value).padStart(width)).join(" ")}\n`;
}

function memoryText(reader: Reader): string {
  const rows = reader.process.namespaces.ipc.memory.all.map((each): Column[] => [
    ...head(each),
    [21, each.size],
    [5, reader.pid(each.creator)],
    [5, reader.pid(each.lastPid)],
    [6, each.attached],
    ...owners(reader, each),
    [10, each.attachedAt],
    [10, each.detachedAt],
    [10, each.changedAt],
    [21, Math.ceil(each.bytes.length / 4096) * 4096],
    [21, 0],
  ]);
  return headers.shm + rows.map((row) => line(row)).join("");
}

function semaphoresText(reader: Reader): string {
  const rows = reader.process.namespaces.ipc.semaphores.all.map((each): Column[] => [
    ...head(each),
    [10, each.values.length],
    ...owners(reader, each),
    [10, each.operatedAt],
    [10, each.changedAt],
  ]);
  return headers.sem + rows.map((row) => line(row)).join("");
}

function messagesText(reader: Reader): string {
  const rows = reader.process.namespaces.ipc.messages.all.map((each): Column[] => [
    ...head(each),
    [11, each.bytes],
    [10, each.messages.length],
    [5, reader.pid(each.lastSender)],
    [5, reader.pid(each.lastReceiver)],
    ...owners(reader, each),
    [10, each.sentAt],
    [10, each.receivedAt],
    [10, each.changedAt],
  ]);
  return headers.msg + rows.map((row) => line(row)).join("");
}

const headers = {
  shm: "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap\n",
  sem: "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n",
  msg: "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n",
} as const;

/** /proc/sysvipc, as whoever reads sees it. */
export function sysvipc(reader: () => Process, find: (pid: number) => Process | null): SyntheticDirectory {
  const seen = (): Reader => {
    const process = reader();
    const pid = (number: number): number => {
      const found = find(number);
      return found === null ? 0 : numberIn(process.namespaces.pid, found);
    };
    return { process, pid };
  };
  return directory({
    msg: text(() => messagesText(seen())),
    sem: text(() => semaphoresText(seen())),
    shm: text(() => memoryText(seen())),
  });
}

/** kernel.shmmax and its like. */
export function ipcSettings(reader: () => Process): Readonly<Record<string, SyntheticFile>> {
  const limits = (): IpcLimits => reader().namespaces.ipc.limits;
  const names = ["shmmax", "shmall", "shmmni", "msgmax", "msgmnb", "msgmni"] as const;
  const semaphores = ["semmsl", "semmns", "semopm", "semmni"] as const;
  return {
    ...Object.fromEntries(names.map((name) => [name, limitFile(limits, name)])),
    sem: setting(
      () => `${semaphores.map((name) => limits()[name]).join("\t")}\n`,
      (value) => {
        for (const [at, word] of value.trim().split(/\s+/).entries()) {
          const name = semaphores[at];
          if (name !== undefined) limits()[name] = parsed(word);
        }
      },
    ),
  };
}

/** fs.mqueue. */
export function queueSettings(reader: () => Process): SyntheticDirectory {
  const limits = (): IpcLimits => reader().namespaces.ipc.limits;
  const names = ["queues_max", "msg_max", "msgsize_max", "msg_default", "msgsize_default"] as const;
  return directory(Object.fromEntries(names.map((name) => [name, limitFile(limits, name)])));
}

function limitFile(limits: () => IpcLimits, name: keyof IpcLimits): SyntheticFile {
  return setting(
    () => `${limits()[name] === noLimit ? noLimitText : limits()[name]}\n`,
    (value) => {
      limits()[name] = parsed(value.trim());
    },
  );
}

function parsed(word: string): number {
  if (!/^\d+$/.test(word)) throw new Errno("EINVAL");
  return Number(word);
}
