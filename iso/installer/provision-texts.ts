// What first boot finds of the partner: the three files of a stick without a token (docs/formats/provision-files.md). Pure.
import type { OpenedPartner } from '../../agent/trust/partner-file.ts';
import { clinicYaml } from '../../agent/wire/clinic-yaml.ts';

/** File name → text. Nothing in them is secret: they say where Central Command is and how to recognise it. */
export function provisionTexts({ partner, root, caPem }: OpenedPartner): Readonly<Record<string, string>> {
  return {
    'clinic.yaml': clinicYaml({
      comment: `Installed for ${partner.partner_id}, file version ${partner.version}: tied to its site by label or claim code.`,
      centralUrl: partner.central_url,
      claimUrl: partner.claim_url,
      rootSha256: partner.root_sha256,
      caPins: partner.ca_pins,
    }),
    'root.json': `${root.line}\n`,
    'ca.pem': caPem,
  };
}
