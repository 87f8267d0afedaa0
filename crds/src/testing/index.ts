// Public surface of @wscluster/crds/testing: a real API server for integration tests of any package. Not for production code.
export { type ApiAnswer, type ApiServer, type SendOptions, missingForApiServer, startApiServer } from "./api-server.ts";
export { type Program, findProgram } from "./programs.ts";
