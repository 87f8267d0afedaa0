// Public surface of @wscluster/crds/gen: what the repository's generator needs.
export { type Artefacts, crdArtefacts } from "./artefacts.ts";
