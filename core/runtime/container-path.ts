/** Paths as the container sees them. */
import type { ContainerPath } from "../base/brand.ts";

/** `path` as seen from `from`, without ".", ".." and empty parts; "/" is its own parent. */
export function containerPath(path: string, from = "/"): ContainerPath {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${from}/${path}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}` as ContainerPath;
}

/** What a plan may hold: absolute, and nothing in it that could climb. */
export function isContainerPath(path: string): boolean {
  return path.startsWith("/") && !path.split("/").includes("..");
}
