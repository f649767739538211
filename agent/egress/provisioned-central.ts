// Where Central Command is, before there is anything signed: the address in the provisioning files, where nobody but root could
// have written them.
import { join } from 'node:path';
import { isAgentError } from '../errors/agent-error.ts';
import { CLINIC_FILE, parseClinicYaml } from '../identity/parse-clinic-yaml.ts';
import { readUnforgeableFile } from '../system/files.ts';
import { assertRootsWay } from '../system/handed-over.ts';

const MAX_CLINIC_BYTES = 16_384;
const ROOT = 0;
const BOM = '\ufeff';

/** One plain clause says why there is no address. */
export type Central = { readonly url: string } | { readonly problem: string };

export function provisionedCentral(dir: string): Central {
  const path = join(dir, CLINIC_FILE);
  try {
    assertRootsWay(path);
    const text = readUnforgeableFile(path, MAX_CLINIC_BYTES, ROOT).toString('utf8');
    const { centralUrl } = parseClinicYaml(text.startsWith(BOM) ? text.slice(1) : text).values;
    return centralUrl === null ? { problem: `${path} names no central_url` } : { url: centralUrl };
  } catch (error) {
    if (!isAgentError(error)) throw error;
    if (error.code === 'file_missing') return { problem: `there is no ${path}` };
    return { problem: `${path} does not count: ${error.message}` };
  }
}
