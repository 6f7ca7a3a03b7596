/** `--security-opt`: strings to what they mean (moby: daemon/daemon_unix.go parseSecurityOpt). */
import { TsboxError } from "../base/error.ts";

export interface Security {
  readonly noNewPrivileges: boolean;
  readonly seccomp: "default" | "unconfined";
  /** systempaths=unconfined: nothing of /proc and /sys is masked or made read-only. */
  readonly systemPaths: "default" | "unconfined";
}

/** Labels of SELinux and AppArmor are accepted and have no effect. Throws TsboxError "invalid" or "unsupported". */
export function parseSecurity(options: readonly string[]): Security {
  let security: Security = { noNewPrivileges: false, seccomp: "default", systemPaths: "default" };
  for (const option of options) security = { ...security, ...parseOption(option) };
  return security;
}

function parseOption(option: string): Partial<Security> {
  const [, key = option, value = ""] = /^([^=:]+)[=:](.*)$/s.exec(option) ?? [];
  switch (key) {
    case "no-new-privileges":
      return { noNewPrivileges: parseBoolean(option, value) };
    case "seccomp":
      return { seccomp: parseSeccomp(value) };
    case "systempaths":
      return { systemPaths: value === "unconfined" ? "unconfined" : invalid(option) };
    case "apparmor":
    case "label":
      return {};
    default:
      return invalid(option);
  }
}

function parseBoolean(option: string, value: string): boolean {
  if (value === "" || value === "true") return true;
  return value === "false" ? false : invalid(option);
}

function parseSeccomp(value: string): Security["seccomp"] {
  if (value === "unconfined") return "unconfined";
  if (value === "builtin" || value === "default") return "default";
  throw new TsboxError(
    "unsupported",
    "a seccomp profile of your own is not supported yet: use seccomp=unconfined or none",
  );
}

function invalid(option: string): never {
  throw new TsboxError("invalid", `invalid --security-opt 2: ${JSON.stringify(option)}`);
}
