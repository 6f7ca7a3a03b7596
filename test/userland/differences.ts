/** Where the simulated userland is known to differ from the real one, with the reason. A line listed here has to differ. */
export const differences: Readonly<Record<string, string>> = {
  "ip link set lo up; httpd -p 8080 -h /tmp; sleep 0.2; netstat -tln; kill $(pidof httpd)":
    "IPv6 is not simulated: a server listens on 0.0.0.0 where busybox listens on ::",
};

/** Text of the oracle's that is not ours to repeat: busybox's own description of how a program is used. */
export function withoutUsage(text: string): string {
  return text.replace(/BusyBox v[^]*$/, "BusyBox v\n");
}
