// The provisioning files of a stick or directory: clinic.yaml, root.json, ca.pem. Read strictly, with every mistake named
// at once; the result is written back for whoever plugged the stick in, and the one-time token is overwritten after use.
import { createHash, X509Certificate } from 'node:crypto';
import { closeSync, fsyncSync, openSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { spkiPin } from '../https/pin-check.ts';
import { splitPem } from '../https/pinned-tls.ts';
import { fileError, PRIVATE_MODE, readFileLimited } from '../system/files.ts';
import { parseRoot, type PinnedRoot } from '../trust/root.ts';
import { CLINIC_FILE, parseClinicYaml, USED_TOKEN, type ClinicFile } from './parse-clinic-yaml.ts';
import { ProvisionError, type Mistake, type MistakeCode } from './provision-mistake.ts';

export const ROOT_FILE = 'root.json';
export const CA_FILE = 'ca.pem';
export const RESULT_FILE = 'clinic-result.txt';

const MAX_CLINIC_BYTES = 16_384;
const MAX_CA_BYTES = 65_536;
/** A root's payload may have 262,144 bytes; base64 and the envelope around it. */
const MAX_ROOT_BYTES = 360_000;
const BOM = '\ufeff';

/** What is copied where files are taken over; clinic.yaml comes last: the daemon starts to enrol when it is there. */
export const PROVISION_FILES = [
  { name: ROOT_FILE, maxBytes: MAX_ROOT_BYTES },
  { name: CA_FILE, maxBytes: MAX_CA_BYTES },
  { name: CLINIC_FILE, maxBytes: MAX_CLINIC_BYTES },
] as const;

export interface Provision {
  readonly centralUrl: string;
  /** One-time enrolment token, base64 of 32 bytes, secret until used; null where the files carry trust alone. */
  readonly token: string | null;
  /** Where a claim code leads people. */
  readonly claimUrl: string;
  readonly root: PinnedRoot;
  readonly caPem: string;
  readonly caPins: readonly string[];
  /** The directory that it was read from. */
  readonly place: string;
}

/** @throws provision_missing when there is no clinic.yaml; ProvisionError (provision_invalid) with every mistake */
export function readProvisionFiles(dir: string): Provision {
  const clinic = readClinic(dir);
  const mistakes: Mistake[] = [...clinic.mistakes];
  const note = (code: MistakeCode, file: string, sentence: string): null => {
    mistakes.push({ code, file, line: null, sentence });
    return null;
  };
  const { centralUrl, token, claimUrl, rootSha256, caPins } = clinic.values;
  const root = readRoot(dir, rootSha256, note);
  const caPem = readCa(dir, caPins, note);
  if (mistakes.length > 0 || !centralUrl || !root || !caPem || !caPins) throw new ProvisionError(dir, mistakes);
  return { centralUrl, token, claimUrl: claimUrl ?? `${centralUrl}/claim`, root, caPem, caPins, place: dir };
}

/** Writes `clinic-result.txt` beside clinic.yaml, with line ends that every editor shows. */
export function writeProvisionResult(dir: string, text: string): void {
  writeInPlace(join(dir, RESULT_FILE), 'w', Buffer.from(`${text.replace(/\r?\n/g, '\r\n')}\r\n`), 0);
}

/** Overwrites the token where it stands, so that its bytes are gone from the file. Nothing happens without a clinic.yaml or token. */
export function overwriteToken(dir: string): void {
  const path = join(dir, CLINIC_FILE);
  const text = readOptional(path, MAX_CLINIC_BYTES);
  if (text === null) return;
  const { tokenRange } = parseClinicYaml(text.content);
  if (tokenRange === null) return;
  const [start, end] = tokenRange;
  const length = Buffer.byteLength(text.content.slice(start, end));
  const offset = Buffer.byteLength((text.bom ? BOM : '') + text.content.slice(0, start));
  writeInPlace(path, 'r+', Buffer.from(USED_TOKEN.padEnd(length, '-').slice(0, length)), offset);
}

const SET_GROUP_ID = 0o2000;
const SHARED_MODE = 0o640;

/**
 * Mode of a file in the folder that the daemon reads: for its owner alone, or also for the group where the folder hands that on, as
 * root's folder of an appliance does.
 */
export const provisionFileMode = (dir: string): number =>
  (statSync(dir).mode & SET_GROUP_ID) === 0 ? PRIVATE_MODE : SHARED_MODE;

/** SHA-256 over all files but for the token: the same before and after that was overwritten. Files that are missing count as empty. */
export function provisionDigest(dir: string): string {
  const hash = createHash('sha256');
  for (const { name, maxBytes } of PROVISION_FILES) {
    const content = readOptional(join(dir, name), maxBytes)?.content ?? '';
    const [start, end] = (name === CLINIC_FILE ? parseClinicYaml(content).tokenRange : null) ?? [0, 0];
    const rest = content.slice(0, start) + content.slice(end);
    hash.update(`${name} ${Buffer.byteLength(rest)}\n${rest}`);
  }
  return hash.digest('hex');
}

/** Changes whenever clinic.yaml does; null where there is none that can be seen. */
export function clinicFileMark(dir: string): string | null {
  try {
    const { ino, size, mtimeMs } = statSync(join(dir, CLINIC_FILE));
    return `${ino} ${size} ${mtimeMs}`;
  } catch {
    return null;
  }
}

/** Whether clinic.yaml can be read and holds a token that was not overwritten. */
export function holdsToken(dir: string): boolean {
  try {
    const text = readOptional(join(dir, CLINIC_FILE), MAX_CLINIC_BYTES);
    return text !== null && parseClinicYaml(text.content).values.token !== null;
  } catch (error) {
    if (isAgentError(error)) return false;
    throw error;
  }
}

type Note = (code: MistakeCode, file: string, sentence: string) => null;

function readClinic(dir: string): ClinicFile {
  const path = join(dir, CLINIC_FILE);
  let text: { content: string } | null;
  try {
    text = readOptional(path, MAX_CLINIC_BYTES);
  } catch (error) {
    throw new ProvisionError(dir, [unreadable(CLINIC_FILE, error)]);
  }
  if (text === null) throw new AgentError('provision_missing', 'there is no clinic.yaml', { place: path });
  return parseClinicYaml(text.content);
}

function readRoot(dir: string, expectedDigest: string | null, note: Note): PinnedRoot | null {
  const text = readRequired(dir, ROOT_FILE, MAX_ROOT_BYTES, note);
  if (text === null) return null;
  try {
    return parseRoot(
      text.trim(),
      expectedDigest === null ? { place: ROOT_FILE } : { expectedDigest, place: ROOT_FILE },
    );
  } catch (error) {
    if (!isAgentError(error)) throw error;
    if (error.code === 'root_digest_mismatch') {
      return note(
        'root_other_digest',
        ROOT_FILE,
        'this is not the root whose digest stands as root_sha256 in clinic.yaml',
      );
    }
    return note('root_malformed', ROOT_FILE, `${error.code}: ${error.message}`);
  }
}

function readCa(dir: string, pins: readonly string[] | null, note: Note): string | null {
  const text = readRequired(dir, CA_FILE, MAX_CA_BYTES, note);
  if (text === null) return null;
  let authorities: X509Certificate[];
  try {
    authorities = splitPem(text).map((pem) => new X509Certificate(pem));
  } catch {
    return note('ca_malformed', CA_FILE, 'a certificate in the file cannot be read');
  }
  if (authorities.length === 0) return note('ca_malformed', CA_FILE, 'the file holds no certificate');
  if (!authorities.every((ca) => ca.ca)) return note('ca_malformed', CA_FILE, 'a certificate in the file is not a CA');
  if (pins !== null && !authorities.some((ca) => pins.includes(spkiPin(ca)))) {
    return note('ca_not_pinned', CA_FILE, 'none of its certificates has a key that ca_pins in clinic.yaml names');
  }
  return authorities.map((ca) => ca.toString()).join('');
}

/** Notes a missing or unreadable file as a mistake. */
function readRequired(dir: string, file: string, maxBytes: number, note: Note): string | null {
  try {
    const text = readOptional(join(dir, file), maxBytes);
    return text?.content ?? note('file_missing', file, 'the file is missing');
  } catch (error) {
    return note('file_unreadable', file, unreadable(file, error).sentence);
  }
}

function unreadable(file: string, error: unknown): Mistake {
  if (!isAgentError(error)) throw error;
  return { code: 'file_unreadable', file, line: null, sentence: error.message };
}

/** Null when there is no such file; the text without its byte order mark otherwise. */
function readOptional(path: string, maxBytes: number): { content: string; bom: boolean } | null {
  try {
    const text = readFileLimited(path, maxBytes).toString('utf8');
    return text.startsWith(BOM) ? { content: text.slice(1), bom: true } : { content: text, bom: false };
  } catch (error) {
    if (isAgentError(error) && error.code === 'file_missing') return null;
    throw error;
  }
}

/** Not by a rename: a stick's FAT has neither modes nor atomic renames, and the old bytes are to be overwritten. */
function writeInPlace(path: string, flags: 'w' | 'r+', data: Buffer, offset: number): void {
  try {
    const fd = openSync(path, flags);
    try {
      writeSync(fd, data, 0, data.length, offset);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw fileError(error, 'write', path);
  }
}
