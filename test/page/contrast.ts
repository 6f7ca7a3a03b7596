/** Whether text can be read: the contrast of each text of an element with what is behind it. */

const texts = "p, dt, dd, h1, h2, th, td, li, code, summary, label, button, span, .badge";

/** What has less than 4.5 to 1 (WCAG 2.2, 1.4.3), with the ratio. */
export function weakContrasts(host: Element): string[] {
  return [...(host.shadowRoot?.querySelectorAll(texts) ?? [])]
    .filter((element) => element.textContent.trim() !== "" && contrast(element) < 4.5)
    .map((element) => `${element.localName}.${element.className} ${contrast(element).toFixed(2)}`);
}

/** The page's own ground counts as the canvas. */
function contrast(element: Element): number {
  const [front, back] = [luminance(getComputedStyle(element).color), luminance(ground(element))];
  return (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
}

function ground(element: Element): string {
  for (let at: Element | null = element; at !== null; at = above(at)) {
    const colour = getComputedStyle(at).backgroundColor;
    if (colour !== "rgba(0, 0, 0, 0)") return colour;
  }
  return matchMedia("(prefers-color-scheme: dark)").matches ? "rgb(18, 23, 30)" : "rgb(244, 246, 249)";
}

function luminance(colour: string): number {
  const channels = [...colour.matchAll(/[\d.]+/g)].slice(0, 3).map(([digits]) => Number(digits) / 255);
  const linear = channels.map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  const [red = 0, green = 0, blue = 0] = linear;
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** An element's parent, out of shadow trees too. */
function above(element: Element): Element | null {
  const root = element.getRootNode();
  return element.parentElement ?? (root instanceof ShadowRoot ? root.host : null);
}
