// `config-stick`: takes the provisioning files of a stick with the label CLINICCFG and writes back what came of it. systemd has
// mounted the stick; what is on it was written by anybody. Each file is read once, and what was read is what is judged and kept.
import { existsSync, lstatSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import type { Clock } from '../system/ports.ts';
import { fileError, PRIVATE_MODE, readFileLimited, writeFileAtomic } from '../system/files.ts';
import { openHandedOver } from '../system/handed-over.ts';
import type { HelperResult } from './helper-result.ts';
import {
  anchorOf,
  judgeStick,
  parseStanding,
  standingLines,
  type JudgedFiles,
  type StickStanding,
} from './judge-stick.ts';

/** Volume label that udev starts the helper for (nix/config-stick.nix). */
export const STICK_LABEL = 'CLINICCFG';

/** Provisioning files, to a room that knows nothing of enrolment. */
export interface StickPort {
  /** Where systemd mounts a stick. */
  readonly stickDir: string;
  /** The link that udev makes while a stick is plugged in. */
  readonly device: string;
  /** Root's folder that the daemon reads, with the group of its user. */
  readonly provisionDir: string;
  /** The daemon's, for its word on whether it is enrolled. */
  readonly stateDir: string;
  /** `root_sha256` of root's configuration. */
  readonly anchored: string | null;
  /** In the order in which they are put into place: the daemon begins with the last. */
  readonly files: readonly { readonly name: string; readonly maxBytes: number }[];
  judge(dir: string): JudgedFiles;
  /** SHA-256 over all files but for the token. */
  digest(dir: string): string;
  /** @throws file_…, disk_full */
  overwriteToken(dir: string): void;
  /** @throws file_…, disk_full */
  writeResult(dir: string, text: string): void;
}

export interface StickDone {
  readonly outcome: 'done' | 'unchanged';
  readonly sentence: string;
  readonly details: HelperResult['details'];
}

const TAKEN_FILE = 'taken';
/** Digest of the root of the installer's files, once a stick has taken their place. */
const INSTALLED_ROOT_FILE = 'installed-root';
const COPY_PREFIX = '.taking-';
const MAX_DIGEST_BYTES = 128;
const MAX_STATUS_BYTES = 4_194_304;
/** The group of the daemon's user reads; the folder hands its group on (nix/config-stick.nix). */
const SHARED_MODE = 0o640;

/**
 * @param tell what stays in the result of a run that is refused later
 * @throws stick_unreadable, stick_other_partner, already_enrolled, provision_missing, provision_invalid, file_…, disk_full
 */
export function configStick(
  port: StickPort,
  clock: Pick<Clock, 'wallMs'>,
  tell: (details: HelperResult['details']) => void,
): StickDone {
  const standing = readStanding(port.stateDir);
  if (standing.enrolled !== null) blankOwn(port);
  if (!isMounted(port.stickDir)) {
    // Not access(2) or open(2): the unit may not even ask a device.
    if (lstatSync(port.device, { throwIfNoEntry: false }) === undefined)
      return { outcome: 'unchanged', sentence: 'No stick is plugged in.', details: {} };
    throw new AgentError('stick_unreadable', 'a stick is plugged in, and its file system cannot be read', {
      place: port.device,
    });
  }
  const stamp = new Date(clock.wallMs()).toISOString().slice(0, 16);
  const writeBack = (lines: readonly string[]): void => {
    const written = onStick(() => port.writeResult(port.stickDir, [`${stamp}Z`, ...lines].join('\n')));
    tell({ result_written: written ?? 'yes' });
  };
  let refusal: readonly string[] | null = null;
  try {
    return withCopy(port, (copy) => {
      const digest = port.digest(copy);
      const taken = readDigest(port.provisionDir, TAKEN_FILE);
      const anchored = anchorOf({
        configured: port.anchored,
        kept: readDigest(port.provisionDir, INSTALLED_ROOT_FILE),
        taken,
        inPlace: () => rootInPlace(port),
      });
      const known = { enrolled: standing.enrolled, taken, anchored };
      const verdict = judgeStick(port.judge(copy), digest, known);
      switch (verdict.act) {
        case 'refuse':
          refusal = verdict.lines;
          tell({ lines: refusal.join('\n') });
          throw new AgentError(verdict.code, verdict.lines.join('; '), { place: port.stickDir });
        case 'report':
          onStick(() => port.overwriteToken(port.stickDir));
          writeBack(standingLines(standing));
          return { outcome: 'unchanged', sentence: standingLines(standing)[0] ?? '', details: {} };
        case 'take': {
          // First: were it cut off after the files, nobody would know any more whose root was here before.
          if (port.anchored === null && anchored !== null) {
            writeFileAtomic(join(port.provisionDir, INSTALLED_ROOT_FILE), anchored, { mode: SHARED_MODE });
          }
          putInPlace(port, copy, digest);
          // On the disk of the appliance now, so that the stick need not keep it.
          const kept = onStick(() => port.overwriteToken(port.stickDir));
          const lines = [
            'This appliance has taken what is on this stick, and enrols now.',
            'Its screen says how far it is; while the stick stays plugged in, this file does too.',
            ...(kept === null
              ? []
              : [`The token on this stick could not be overwritten (${kept}): erase clinic.yaml.`]),
          ];
          writeBack(lines);
          const details = { token_on_stick: kept ?? 'overwritten' };
          return { outcome: 'done', sentence: 'The provisioning files of the stick are taken.', details };
        }
      }
    });
  } catch (error) {
    if (isAgentError(error) && error.code !== 'internal') {
      writeBack([
        'Nothing was taken from this stick:',
        ...(refusal ?? [error.message]),
        `What to do: ${error.remedy}.`,
      ]);
    }
    throw error;
  }
}

/** Null where it was done, else the code of why not: a stick that cannot be written is no reason not to enrol. */
function onStick(write: () => void): string | null {
  try {
    write();
    return null;
  } catch (error) {
    if (!isAgentError(error)) throw error;
    return error.code;
  }
}

/** A folder below which nothing is mounted lies on the file system of its parent. */
function isMounted(dir: string): boolean {
  try {
    return statSync(dir).dev !== statSync(dirname(dir)).dev;
  } catch {
    return false;
  }
}

/** Reads each file once, into a folder of root's alone; without links, devices and whatever is larger than it may be. */
function withCopy<T>(port: StickPort, use: (dir: string) => T): T {
  const stick = openHandedOver(port.stickDir);
  let copy: string | null = null;
  try {
    // Of a run that was cut off: they hold the token.
    for (const name of readdirSync(port.provisionDir)) {
      if (name.startsWith(COPY_PREFIX)) rmSync(join(port.provisionDir, name), { recursive: true, force: true });
    }
    copy = mkdtempSync(join(port.provisionDir, COPY_PREFIX));
    for (const { name, maxBytes } of port.files) {
      const data = stick.read(name, maxBytes);
      if (data !== null) writeFileSync(join(copy, name), data, { mode: PRIVATE_MODE, flag: 'wx' });
    }
    return use(copy);
  } catch (error) {
    throw fileError(error, 'read', port.stickDir);
  } finally {
    stick.close();
    if (copy !== null) rmSync(copy, { recursive: true, force: true });
  }
}

function putInPlace({ files, provisionDir }: StickPort, copy: string, digest: string): void {
  for (const { name, maxBytes } of files) {
    writeFileAtomic(join(provisionDir, name), readFileLimited(join(copy, name), maxBytes), { mode: SHARED_MODE });
  }
  writeFileAtomic(join(provisionDir, TAKEN_FILE), digest, { mode: SHARED_MODE });
}

/** Of files that were taken from no stick: the installer's, or somebody with root's rights put them there. */
function rootInPlace({ judge, provisionDir }: StickPort): string | null {
  const own = judge(provisionDir);
  return own.verdict === 'good' ? own.rootSha256 : null;
}

function readDigest(provisionDir: string, name: string): string | null {
  const path = join(provisionDir, name);
  return existsSync(path) ? readFileLimited(path, MAX_DIGEST_BYTES).toString('utf8') : null;
}

/** The token is worth nothing to an appliance that is enrolled. */
function blankOwn({ files, provisionDir, overwriteToken }: StickPort): void {
  if (files.some(({ name }) => existsSync(join(provisionDir, name)))) overwriteToken(provisionDir);
}

/** The daemon's word for it: it alone would use what is taken, and it takes nothing once it is enrolled. */
function readStanding(stateDir: string): StickStanding {
  const nothing: StickStanding = { enrolled: null, reason: null };
  if (!existsSync(stateDir)) return nothing;
  const state = openHandedOver(stateDir);
  try {
    const file = state.read('status.json', MAX_STATUS_BYTES);
    if (file === null || state.read('reset.json', MAX_STATUS_BYTES) !== null) return nothing;
    // Written by another version, or damaged: the daemon writes it anew within seconds.
    return parseStanding(file.toString('utf8')) ?? nothing;
  } catch (error) {
    if (isAgentError(error)) return nothing;
    throw error;
  } finally {
    state.close();
  }
}
