// Every file that is generated from the schema, as path -> content. Pure; scripts/gen.ts writes and compares them.

import { stringify } from "yaml";
import { chartReadmeFor } from "./chart-readme.ts";
import { CHART_VALUES, chartSchemaFor, chartValueRows, chartValuesFor } from "./chart-values.ts";
import { clusterKind, crdFor, rebalanceKind } from "./custom-resource.ts";
import { fieldsWithoutRolls, referenceFor } from "./reference.ts";

export type Artefacts = {
  /** By path from the root of the repository. */
  readonly files: Readonly<Record<string, string>>;
  /** Empty unless the source breaks a rule; then nothing should be written. */
  readonly problems: readonly string[];
};

const HEADER = "Generated from crds/src by `npm run gen`; edits are lost.";

export function crdArtefacts(): Artefacts {
  const kinds = [clusterKind(), rebalanceKind()];
  const yamls = kinds.map((kind) => {
    const crd = crdFor(kind);
    return { name: crd.metadata.name, yaml: stringify(crd, { sortMapEntries: true, lineWidth: 0 }) };
  });
  const missing = fieldsWithoutRolls(clusterKind().schema.properties?.["spec"] ?? {});
  const inTemplate = yamls.flatMap(({ name, yaml }) =>
    yaml.includes("{{") ? [`${name} contains {{, which Helm would take for a template`] : [],
  );
  return {
    files: {
      ...Object.fromEntries(yamls.map(({ name, yaml }) => [`crds/${name}.yaml`, `# ${HEADER}\n${yaml}`])),
      "charts/wscluster/templates/crds.yaml": chartCrds(yamls),
      "charts/wscluster/README.md": chartReadmeFor(chartValueRows(CHART_VALUES)),
      "charts/wscluster/values.yaml": chartValuesFor(CHART_VALUES),
      "charts/wscluster/values.schema.json": chartSchemaFor(CHART_VALUES),
      "docs/api.md": referenceFor(clusterKind(), rebalanceKind()),
    },
    problems: [
      ...kinds.flatMap((kind) => kind.problems),
      ...inTemplate,
      ...missing.map((path) => `spec.${path}: needs an entry in rollsByField`),
    ],
  };
}

/** A template, not the chart's `crds/` folder: Helm never upgrades what lies there. Kept when the chart goes, with every cluster. */
function chartCrds(yamls: readonly { readonly name: string; readonly yaml: string }[]): string {
  const documents = yamls.map(({ name, yaml }) =>
    yaml.replace(
      `metadata:\n  name: ${name}\n`,
      `metadata:
  annotations:
    helm.sh/resource-policy: keep
  labels:
    {{- include "wscluster.labels" . | nindent 4 }}
  name: ${name}
`,
    ),
  );
  return `{{- /* ${HEADER} */}}\n{{- if .Values.crds.enabled }}\n${documents.join("---\n")}{{- end }}\n`;
}
