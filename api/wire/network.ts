/** The networks that always exist, and a container's place in them. */
import { zeroTime } from "../../core/base/time.ts";
import type { ContainerRecord } from "../../core/container/record.ts";

export interface NetworkBody {
  readonly Name: string;
  readonly Id: string;
  readonly Created: string;
  readonly Scope: string;
  readonly Driver: string;
  readonly EnableIPv6: boolean;
  readonly IPAM: { readonly Driver: string; readonly Options: null; readonly Config: readonly never[] };
  readonly Internal: boolean;
  readonly Attachable: boolean;
  readonly Ingress: boolean;
  readonly ConfigFrom: { readonly Network: string };
  readonly ConfigOnly: boolean;
  readonly Containers: Readonly<Record<string, object>>;
  readonly Options: Readonly<Record<string, string>>;
  readonly Labels: Readonly<Record<string, string>>;
}

export interface Network {
  readonly name: "none" | "host";
  /** 64 hex digits. They are fixed: the two networks are the same thing on every machine. */
  readonly id: string;
  readonly driver: "null" | "host";
}

export const networks: readonly Network[] = [
  { name: "none", id: "6e6f6e65".padEnd(64, "0"), driver: "null" },
  { name: "host", id: "686f7374".padEnd(64, "0"), driver: "host" },
];

/** The mode a container really has: until bridges exist, "default" and "bridge" are "none". */
export function effectiveNetworkMode(asked: string): string {
  return asked === "default" || asked === "bridge" ? "none" : asked;
}

export function networkBody(network: Network, members: readonly ContainerRecord[]): NetworkBody {
  return {
    Name: network.name,
    Id: network.id,
    Created: zeroTime,
    Scope: "local",
    Driver: network.driver,
    EnableIPv6: false,
    IPAM: { Driver: "default", Options: null, Config: [] },
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    Containers: Object.fromEntries(members.map((member) => [member.id, memberBody(member)])),
    Options: {},
    Labels: {},
  };
}

function memberBody(member: ContainerRecord): object {
  return { Name: member.name, EndpointID: "", MacAddress: "", IPv4Address: "", IPv6Address: "" };
}

/** `NetworkSettings.Networks` of a container. */
export function endpointsOf(record: ContainerRecord): Record<string, EndpointBody> {
  const mode = effectiveNetworkMode(record.hostConfig.networkMode);
  const network = networks.find(({ name }) => name === mode);
  return network === undefined ? {} : { [network.name]: endpointBody(network) };
}

export interface EndpointBody {
  readonly IPAMConfig: null;
  readonly Links: null;
  readonly Aliases: null;
  readonly MacAddress: string;
  readonly DriverOpts: null;
  readonly GwPriority: number;
  readonly NetworkID: string;
  readonly EndpointID: string;
  readonly Gateway: string;
  readonly IPAddress: string;
  readonly IPPrefixLen: number;
  readonly IPv6Gateway: string;
  readonly GlobalIPv6Address: string;
  readonly GlobalIPv6PrefixLen: number;
  readonly DNSNames: null;
}

function endpointBody(network: Network): EndpointBody {
  return {
    IPAMConfig: null,
    Links: null,
    Aliases: null,
    MacAddress: "",
    DriverOpts: null,
    GwPriority: 0,
    NetworkID: network.id,
    EndpointID: "",
    Gateway: "",
    IPAddress: "",
    IPPrefixLen: 0,
    IPv6Gateway: "",
    GlobalIPv6Address: "",
    GlobalIPv6PrefixLen: 0,
    DNSNames: null,
  };
}
