/** Styles imported as text, as vite's `?inline` gives them. */
declare module "*.css?inline" {
  const css: string;
  export default css;
}
