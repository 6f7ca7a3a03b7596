/** System calls about who a process is: its ids and rights, its host's name, its group and session, how nice it is. */
import { Errno } from "../../../../core/base/errno.ts";
import { meantBy, seenIn, shownIn } from "../ids.ts";
import { isCapable } from "../permission.ts";
import type { Ids, Process } from "../process.ts";
import type { Credentials, Pid, PriorityOf } from "../sys.ts";
import { Caller } from "./caller.ts";

const nameMax = 64;
/** RLIMIT_NICE counts from 1, for 19, to 40. */
const niceRange = 20;

export class IdentityCalls extends Caller {
  // Identity

  get pid(): Pid {
    return this.numberOf(this.process);
  }

  parent(): Pid {
    const { parent } = this.self();
    return parent === null ? 0 : this.numberOf(parent);
  }

  credentials(): Credentials {
    const { uid, gid, groups, namespaces } = this.self();
    const shownGid = (id: number): number => shownIn(namespaces.user, "gids", id);
    return { uid: shownIn(namespaces.user, "uids", uid), gid: shownGid(gid), groups: groups.map(shownGid) };
  }

  realIds(): Ids {
    const { real, namespaces } = this.self();
    return { uid: shownIn(namespaces.user, "uids", real.uid), gid: shownIn(namespaces.user, "gids", real.gid) };
  }

  /** setgroups, setgid, setuid, in this order. */
  setCredentials(wanted: Partial<Credentials>): void {
    const self = this.self();
    if (wanted.groups !== undefined) self.groups = this.#newGroups(wanted.groups);
    if (wanted.gid !== undefined) this.#becomeGroup(this.meant("gids", wanted.gid));
    if (wanted.uid !== undefined) this.#becomeUser(this.meant("uids", wanted.uid));
  }

  #newGroups(groups: readonly number[]): number[] {
    const { user } = this.process.namespaces;
    this.need("CAP_SETGID");
    if (!user.mayDropGroups || user.gids.length === 0) throw new Errno("EPERM");
    return groups.map((gid) => this.meant("gids", gid));
  }

  /** setgid(2): all three for who may, else the effective one only, to the real or the saved one. */
  #becomeGroup(gid: number): void {
    const { process } = this;
    if (this.can("CAP_SETGID")) {
      process.real = { ...process.real, gid };
      process.saved = { ...process.saved, gid };
    } else if (gid !== process.real.gid && gid !== process.saved.gid) throw new Errno("EPERM");
    process.gid = gid;
  }

  /** EINVAL for an id that the user namespace does not map. */
  protected meant(kind: "uids" | "gids", id: number): number {
    const meant = meantBy(this.process.namespaces.user, kind, id);
    if (meant === null) throw new Errno("EINVAL");
    return meant;
  }

  /** setuid(2), likewise. Root that becomes somebody else loses its capabilities (capabilities(7)). */
  #becomeUser(uid: number): void {
    const { process } = this;
    const { user } = process.namespaces;
    const isRoot = (id: number): boolean => seenIn(user, "uids", id) === 0;
    const were = [process.uid, process.real.uid, process.saved.uid];
    if (this.can("CAP_SETUID")) {
      process.real = { ...process.real, uid };
      process.saved = { ...process.saved, uid };
    } else if (uid !== process.real.uid && uid !== process.saved.uid) throw new Errno("EPERM");
    process.uid = uid;
    const { capabilities } = process;
    const isStillRoot = [process.uid, process.real.uid, process.saved.uid].some(isRoot);
    if (were.some(isRoot) && !isStillRoot)
      process.capabilities = { ...capabilities, permitted: [], effective: [], ambient: [] };
    else if (isRoot(were[0] ?? 0) && !isRoot(uid)) process.capabilities = { ...capabilities, effective: [] };
  }

  umask(mask: number): number {
    const old = this.self().umask;
    this.process.umask = mask & 0o777;
    return old;
  }

  hostname(): string {
    return this.self().namespaces.uts.hostname;
  }

  setHostname(name: string): void {
    this.unrefused("sethostname");
    this.need("CAP_SYS_ADMIN", this.process.namespaces.uts.owner);
    if (name.length > nameMax) throw new Errno("EINVAL");
    this.process.namespaces.uts.hostname = name;
  }

  setDomainname(name: string): void {
    this.unrefused("setdomainname");
    this.need("CAP_SYS_ADMIN", this.process.namespaces.uts.owner);
    if (name.length > nameMax) throw new Errno("EINVAL");
    this.process.namespaces.uts.domainname = name;
  }

  // Groups and sessions

  /** setpgid(2): oneself or a child that has not executed yet, within the session, not a session's leader. */
  setGroup(pid: Pid, group: Pid): void {
    const self = this.self();
    const target = pid === 0 ? self : this.peer(pid);
    if (group < 0) throw new Errno("EINVAL");
    if (target !== self && target.parent !== self) throw new Errno("ESRCH");
    if (target !== self && target.hasExecuted) throw new Errno("EACCES");
    if (target.session !== self.session || target.session === target.pid) throw new Errno("EPERM");
    target.group = this.#groupToJoin(target, group);
  }

  #groupToJoin(target: Process, group: Pid): Pid {
    if (group === 0 || group === this.numberOf(target)) return target.pid;
    const all = [...this.kernel.processes.values()];
    const member = all.find((each) => this.shown(each.group) === group && each.session === target.session);
    if (member === undefined) throw new Errno("EPERM");
    return member.group;
  }

  group(pid?: Pid): Pid {
    const target = pid === undefined || pid === 0 ? this.self() : this.peer(pid);
    return this.shown(target.group);
  }

  session(): Pid {
    return this.shown(this.self().session);
  }

  setSession(): Pid {
    const self = this.self();
    if ([...this.kernel.processes.values()].some((each) => each.group === self.pid)) throw new Errno("EPERM");
    self.session = self.pid;
    self.group = self.pid;
    self.terminal = null;
    return this.numberOf(self);
  }

  /** The kernel's number of a group that this process knows by one. */
  protected groupOf(number: Pid): Pid {
    const member = [...this.kernel.processes.values()].find((each) => this.shown(each.group) === number);
    return member?.group ?? this.peer(number).pid;
  }

  // Priorities

  priority(which: PriorityOf, who: number): number {
    return Math.min(...this.#prioritised(which, who).map(({ nice }) => nice));
  }

  setPriority(which: PriorityOf, who: number, nice: number): void {
    const wanted = Math.min(19, Math.max(-20, nice));
    for (const target of this.#prioritised(which, who)) this.#setNice(target, wanted);
  }

  /** set_one_prio() in kernel/sys.c. */
  #setNice(target: Process, nice: number): void {
    const isOwn = [target.uid, target.real.uid].includes(this.process.uid);
    if (!isOwn && !isCapable(this.process, "CAP_SYS_NICE", target.namespaces.user)) throw new Errno("EPERM");
    const most = target.limits.get("nice")?.soft ?? 0;
    const mayRaise = most === -1 || niceRange - nice <= most || this.can("CAP_SYS_NICE", this.kernel.userNamespace);
    if (nice < target.nice && !mayRaise) throw new Errno("EACCES");
    target.nice = nice;
  }

  #prioritised(which: PriorityOf, who: number): Process[] {
    const self = this.self();
    if (which === "process") return [who === 0 ? self : this.peer(who)];
    const group = which === "group" ? (who === 0 ? self.group : this.groupOf(who)) : 0;
    const uid = which === "user" ? (who === 0 ? self.real.uid : this.meant("uids", who)) : 0;
    const isMeant = (each: Process): boolean => (which === "group" ? each.group === group : each.real.uid === uid);
    const found = [...this.kernel.processes.values()].filter((each) => this.numberOf(each) !== 0 && isMeant(each));
    if (found.length === 0) throw new Errno("ESRCH");
    return found;
  }
}
