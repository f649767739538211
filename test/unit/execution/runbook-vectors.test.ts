import { expect, it } from 'vitest';
import { classOfRunbook, parseRunbook } from '../../../agent/execution/runbook.ts';
import { sha256Hex } from '../../../agent/wire/digest.ts';
import { packRunbook, unpackRunbook } from '../../../agent/wire/runbook-package.ts';
import { expectCode } from '../../support/expect-code.ts';
import { vectorJson } from '../../support/vectors.ts';

interface Vectors {
  readonly files: readonly { name: string; yaml: string; expect: 'ok' | 'runbook_invalid'; class?: string }[];
  readonly packages: readonly {
    name: string;
    blob: string;
    expect: 'ok' | 'runbook_package_invalid';
    sha256?: string;
  }[];
}
const { files, packages } = vectorJson<Vectors>('runbook.json');

it.each(files)('vectors: runbook.yaml with $name is $expect', ({ yaml, expect: wanted, class: orderClass }) => {
  const read = () => parseRunbook(Buffer.from(yaml), 'runbook.yaml');
  if (wanted === 'ok') expect(classOfRunbook(read())).toBe(orderClass);
  else expectCode(read, wanted);
});

it.each(packages)('vectors: a blob with $name is $expect', ({ blob, expect: wanted, sha256 }) => {
  const bytes = Buffer.from(blob);
  if (wanted === 'ok') {
    expect(packRunbook(unpackRunbook(bytes).toReversed())).toEqual({ bytes, sha256 });
    expect(sha256Hex(bytes)).toBe(sha256);
  } else expectCode(() => unpackRunbook(bytes), wanted);
});
