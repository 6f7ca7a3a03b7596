/** What there is: repositories, their tags, and a search over their names. */
import type { HttpResponse } from "./http.ts";
import type { Call, Parts } from "./server-call.ts";
import { jsonReply, refuse } from "./server-reply.ts";

const catalogPage = 100;
const listPageMax = 1000;

export async function catalog(parts: Parts, { url }: Call): Promise<HttpResponse> {
  const count = pageSize(url, catalogPage);
  const last = url.searchParams.get("last") ?? "";
  const all = await parts.store.repositories();
  const rest = last === "" ? all : all.filter((each) => each.replaceAll("/", "\0") > last.replaceAll("/", "\0"));
  const page = rest.slice(0, count);
  const next = new URLSearchParams();
  next.append("last", page.at(-1) ?? "");
  next.append("n", String(count));
  const link = rest.length > count ? { link: `</v2/_catalog?${next.toString()}>; rel="next"` } : {};
  return jsonReply({ repositories: page }, link);
}

/** Docker Hub's old search, over the names of the repositories (Docker Registry API v1, "Search"). */
export async function search(parts: Parts, { url }: Call): Promise<HttpResponse> {
  const query = url.searchParams.get("q") ?? "";
  const found = (await parts.store.repositories()).filter((repository) => repository.includes(query.toLowerCase()));
  const results = found.slice(0, pageSize(url, 25)).map((repository) => ({
    name: repository,
    description: "",
    star_count: 0,
    is_official: false,
    is_automated: false,
  }));
  return jsonReply({ num_pages: 1, num_results: found.length, page: 1, page_size: 25, query, results });
}

export async function tags(parts: Parts, { repository, url }: Call): Promise<HttpResponse> {
  const tags = await parts.store.tags(repository);
  if (tags === null) throw refuse("NAME_UNKNOWN", { name: repository });
  const wanted = url.searchParams.get("n");
  const last = url.searchParams.get("last") ?? "";
  const rest = tags.filter((tag) => tag > last);
  const page = wanted === null ? rest : rest.slice(0, pageSize(url, listPageMax));
  const query = new URLSearchParams();
  query.append("last", page.at(-1) ?? "");
  query.append("n", wanted ?? "");
  const link =
    page.length < rest.length ? { link: `</v2/${repository}/tags/list?${query.toString()}>; rel="next"` } : {};
  return jsonReply({ name: repository, tags: tags.length === 0 ? null : page }, link);
}

function pageSize(url: URL, otherwise: number): number {
  const text = url.searchParams.get("n");
  if (text === null) return otherwise;
  if (!/^\d{1,9}$/.test(text) || Number(text) === 0) return otherwise;
  return Math.min(Number(text), listPageMax);
}
