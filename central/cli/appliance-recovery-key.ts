import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { armoredAgeFile } from '../../agent/wire/age-file.ts';
import type { RecoveryKeyRow } from '../store/recovery-key-table.ts';
import { print, when, type Common } from './output.ts';
import { withRecords, type WithData } from './with-records.ts';

interface Options extends Common, WithData {
  readonly volume?: string;
  readonly out?: string;
}

/**
 * What the appliance handed over, newest first; with `out` the newest goes into a new file, byte for byte.
 *
 * @throws recovery_key_unknown, usage (the file is there, or cannot be written)
 */
export async function recoveryKey(applianceId: string, o: Options): Promise<void> {
  await withRecords(o, ({ store }) => {
    const keys = store.recoveryKeys
      .list(applianceId)
      .filter(({ luks_uuid }) => o.volume === undefined || luks_uuid === o.volume.toLowerCase());
    const [newest] = keys;
    if (newest === undefined) {
      const which = o.volume === undefined ? '' : ` for volume ${o.volume}`;
      throw new AgentError('recovery_key_unknown', `${applianceId} handed over no recovery key${which}`);
    }
    const file = o.out === undefined ? 'recovery.age' : o.out;
    if (o.out !== undefined) writeNew(o.out, newest.sealed);
    const shown = o.out === undefined ? keys : [newest];
    const written = o.out === undefined ? {} : { file: resolve(o.out) };
    const sealed = (row: RecoveryKeyRow): string => (o.out === undefined ? `\n${armoredAgeFile(row.sealed)}` : '');
    print(
      o,
      { recovery_keys: shown.map(described), ...written },
      [
        ...shown.map((row) => `${headOf(row)}${sealed(row)}`),
        o.out === undefined ? `To open one, save its lines, BEGIN and END included, as ${file}, and:` : 'To open it:',
        `  age --decrypt --identity FILE_WITH_A_SECRET_KEY_OF_THE_OWNER ${file}`,
      ].join('\n'),
    );
  });
}

const headOf = ({ luks_uuid, epoch, received_at, sha256 }: RecoveryKeyRow): string =>
  `volume ${luks_uuid ?? '(not said)'}  epoch ${epoch}  received ${when(received_at)}  sha256 ${sha256}`;

const described = ({ sealed, ...row }: RecoveryKeyRow) => ({ ...row, sealed: armoredAgeFile(sealed) });

function writeNew(path: string, bytes: Buffer): void {
  try {
    writeFileSync(path, bytes, { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code === 'EEXIST' ? 'exists' : 'cannot be written';
    throw new AgentError('usage', `the file for the recovery key ${why}`, { place: path, cause });
  }
}
