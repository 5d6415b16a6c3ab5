/** Modules that the build makes. */

declare module "virtual:recordings" {
  /** Names of the recordings that lie beside the page. */
  const names: readonly string[];
  export default names;
}
