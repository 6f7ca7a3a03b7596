/**
 * Addresses of the simulated network. An IPv4 address is its 32 bits as a number, a MAC its text:
 * both compare with === and serve as keys of maps.
 */
import type { Brand } from "../../../core/base/brand.ts";

export type Ipv4 = Brand<number, "Ipv4">;
export type Mac = Brand<string, "Mac">;

/** A network: the address as given (its host bits may be set) and how many bits name the network. */
export interface Prefix {
  readonly address: Ipv4;
  readonly length: number;
}

export const anyAddress = 0 as Ipv4;
export const limitedBroadcast = 0xffffffff as Ipv4;
export const broadcastMac = "ff:ff:ff:ff:ff:ff" as Mac;
export const noMac = "00:00:00:00:00:00" as Mac;

/** "172.17.0.2" → its number; null for what is no dotted quad (inet_pton(3): four decimal parts, no leading zeros). */
export function parseIpv4(text: string): Ipv4 | null {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255))
    return null;
  return (parts.reduce((sum, part) => sum * 256 + Number(part), 0) >>> 0) as Ipv4;
}

export function formatIpv4(address: Ipv4): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".");
}

/** "172.17.0.0/16"; a missing length is 32. */
export function parsePrefix(text: string): Prefix | null {
  const [left = "", right = "32", ...more] = text.split("/");
  const address = parseIpv4(left);
  if (address === null || more.length > 0 || !/^\d{1,2}$/.test(right) || Number(right) > 32) return null;
  return { address, length: Number(right) };
}

export function formatPrefix({ address, length }: Prefix): string {
  return `${formatIpv4(address)}/${length}`;
}

export function maskOf(length: number): number {
  return length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
}

/** The prefix without its host bits. */
export function networkOf({ address, length }: Prefix): Prefix {
  return { address: ((address & maskOf(length)) >>> 0) as Ipv4, length };
}

export function contains({ address, length }: Prefix, candidate: Ipv4): boolean {
  const mask = maskOf(length);
  return (address & mask) >>> 0 === (candidate & mask) >>> 0;
}

/** The directed broadcast address; null for a network too small to have one (RFC 3021). */
export function broadcastOf({ address, length }: Prefix): Ipv4 | null {
  return length >= 31 ? null : (((address | ~maskOf(length)) >>> 0) as Ipv4);
}

export function isLoopback(address: Ipv4): boolean {
  return address >>> 24 === 127;
}

export function isMulticast(address: Ipv4): boolean {
  return address >>> 28 === 14;
}

/** A locally administered unicast address from six random bytes (IEEE 802: bit 1 set, bit 0 clear in the first). */
export function macFrom(bytes: Uint8Array): Mac {
  const octets = Array.from(bytes.subarray(0, 6), (byte, at) => (at === 0 ? (byte & 0xfc) | 0x02 : byte));
  return octets.map((octet) => octet.toString(16).padStart(2, "0")).join(":") as Mac;
}

export function parseMac(text: string): Mac | null {
  return /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i.test(text) ? (text.toLowerCase() as Mac) : null;
}
