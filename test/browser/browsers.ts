/** The browsers that are tested in, as distributions install them. */
import { existsSync } from "node:fs";

export function chromium(): string | undefined {
  return ["/usr/bin/chromium", "/usr/bin/google-chrome"].find((path) => existsSync(path));
}

export function firefox(): string | undefined {
  return ["/usr/bin/firefox-esr", "/usr/bin/firefox"].find((path) => existsSync(path));
}
