/** The texts of the files a container gets of its own: /etc/hostname, /etc/hosts, /etc/resolv.conf. */
import type { Config, HostConfig } from "./config.ts";

export function hostnameText(config: Pick<Config, "hostname" | "domainname">): string {
  return `${fullName(config)}\n`;
}

function fullName({ hostname, domainname }: Pick<Config, "hostname" | "domainname">): string {
  return domainname === "" ? hostname : `${hostname}.${domainname}`;
}

const localNames = [
  "127.0.0.1\tlocalhost",
  "::1\tlocalhost ip6-localhost ip6-loopback",
  "fe00::\tip6-localnet",
  "ff00::\tip6-mcastprefix",
  "ff02::1\tip6-allnodes",
  "ff02::2\tip6-allrouters",
];

/** hosts(5). `extraHosts` are "name:address" or "name=address". */
export function hostsText(host: Pick<HostConfig, "extraHosts">): string {
  const extra = host.extraHosts.flatMap((entry) => {
    const [, name = "", address = ""] = /^([^:=]+)[:=](.+)$/.exec(entry) ?? [];
    return name === "" ? [] : [`${address.replace(/^\[|\]$/g, "")}\t${name}`];
  });
  return `${[...localNames, ...extra].join("\n")}\n`;
}

/** resolv.conf(5): the host's, unless the user names servers, search domains or options. */
export function resolvConfText(host: Pick<HostConfig, "dns" | "dnsSearch" | "dnsOptions">, hostFile: string): string {
  const own = [
    ...host.dns.map((address) => `nameserver ${address}`),
    ...(host.dnsSearch.length === 0 ? [] : [`search ${host.dnsSearch.join(" ")}`]),
    ...(host.dnsOptions.length === 0 ? [] : [`options ${host.dnsOptions.join(" ")}`]),
  ];
  if (own.length === 0) return hostFile;
  const given = new Set(own.map(keyword));
  const kept = hostFile.split("\n").filter((line) => /^(nameserver|search|options)\s/.test(line));
  return `${[...kept.filter((line) => !given.has(keyword(line))), ...own].join("\n")}\n`;
}

function keyword(line: string): string {
  return line.split(/\s/, 1)[0] ?? "";
}
