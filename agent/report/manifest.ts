// MANIFEST of an auditor bundle: one line per file, as `sha256sum` writes and checks them (docs/formats/bundle.md). Pure.
import { AgentError } from '../errors/agent-error.ts';

export const MANIFEST_FILE = 'MANIFEST';

export interface ManifestFile {
  /** Relative to the bundle, with `/`; no part begins with a dot, so that none leads out of it. */
  readonly path: string;
  /** Hex. */
  readonly sha256: string;
}

const ROW = /^([0-9a-f]{64}) {2}([A-Za-z0-9_][A-Za-z0-9._-]*(?:\/[A-Za-z0-9_][A-Za-z0-9._-]*)*)$/;

/** The text, sorted by path: the same for the same files. */
export function encodeManifest(files: readonly ManifestFile[]): string {
  const byPath = files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  return byPath.map(({ path, sha256 }) => `${sha256}  ${path}\n`).join('');
}

/** @throws bundle_invalid where a line has another form; bundle_mismatch where a path stands twice */
export function parseManifest(text: string, place: string): ManifestFile[] {
  const rows = text.split('\n');
  if (rows.at(-1) === '') rows.pop();
  const files = rows.map((row, i) => {
    const [, sha256, path] = ROW.exec(row) ?? [];
    if (sha256 === undefined || path === undefined) {
      throw new AgentError('bundle_invalid', `line ${i + 1} is not "<sha256>  <path>"`, { place });
    }
    return { path, sha256 };
  });
  if (new Set(files.map((file) => file.path)).size !== files.length) {
    throw new AgentError('bundle_mismatch', 'a file is named twice', { place });
  }
  return files;
}
