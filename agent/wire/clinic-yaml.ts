// The text of clinic.yaml (docs/formats/provision-files.md). Written by Central Command for a stick and by the installer. Pure.

export interface ClinicYaml {
  /** The first line, without `# `. */
  readonly comment: string;
  readonly centralUrl: string;
  /** One-time enrolment token, base64 of 32 bytes. */
  readonly token?: string | undefined;
  readonly claimUrl?: string | undefined;
  readonly rootSha256: string;
  readonly caPins: readonly string[];
}

export function clinicYaml({ comment, centralUrl, token, claimUrl, rootSha256, caPins }: ClinicYaml): string {
  return [
    `# ${comment}`,
    `central_url: ${JSON.stringify(centralUrl)}`,
    ...(token === undefined ? [] : [`token: ${JSON.stringify(token)}`]),
    ...(claimUrl === undefined ? [] : [`claim_url: ${JSON.stringify(claimUrl)}`]),
    `root_sha256: ${JSON.stringify(rootSha256)}`,
    'ca_pins:',
    ...caPins.map((pin) => `  - ${JSON.stringify(pin)}`),
    '',
  ].join('\n');
}
