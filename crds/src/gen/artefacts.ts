// Every file that is generated from the schema, as path -> content. Pure; scripts/gen.ts writes and compares them.

import { stringify } from "yaml";
import { chartReadmeFor } from "./chart-readme.ts";
import { CHART_VALUES, chartSchemaFor, chartValueRows, chartValuesFor } from "./chart-values.ts";
import { crdFor, rootSchema } from "./custom-resource.ts";
import { fieldsWithoutRolls, referenceFor } from "./reference.ts";

export type Artefacts = {
  /** By path from the root of the repository. */
  readonly files: Readonly<Record<string, string>>;
  /** Empty unless the source breaks a rule; then nothing should be written. */
  readonly problems: readonly string[];
};

const HEADER = "Generated from crds/src by `npm run gen`; edits are lost.";

export function crdArtefacts(): Artefacts {
  const { crd, problems } = crdFor();
  const root = rootSchema().schema;
  const yaml = stringify(crd, { sortMapEntries: true, lineWidth: 0 });
  const missing = fieldsWithoutRolls(root.properties?.["spec"] ?? {});
  const inTemplate = yaml.includes("{{") ? ["the CRD contains {{, which Helm would take for a template"] : [];
  return {
    files: {
      [`crds/${crd.metadata.name}.yaml`]: `# ${HEADER}\n${yaml}`,
      "charts/wscluster/templates/crds.yaml": chartCrd(crd.metadata.name, yaml),
      "charts/wscluster/README.md": chartReadmeFor(chartValueRows(CHART_VALUES)),
      "charts/wscluster/values.yaml": chartValuesFor(CHART_VALUES),
      "charts/wscluster/values.schema.json": chartSchemaFor(CHART_VALUES),
      "docs/api.md": referenceFor(root),
    },
    problems: [...problems, ...inTemplate, ...missing.map((path) => `spec.${path}: needs an entry in rollsByField`)],
  };
}

/** A template, not the chart's `crds/` folder: Helm never upgrades what lies there. Kept when the chart goes, with every cluster. */
function chartCrd(name: string, yaml: string): string {
  const metadata = `metadata:\n  name: ${name}\n`;
  const withChart = yaml.replace(
    metadata,
    `metadata:
  annotations:
    helm.sh/resource-policy: keep
  labels:
    {{- include "wscluster.labels" . | nindent 4 }}
  name: ${name}
`,
  );
  return `{{- /* ${HEADER} */}}\n{{- if .Values.crds.enabled }}\n${withChart}{{- end }}\n`;
}
