// Reads what apt-get(8) prints. Pure.

export interface PendingUpdates {
  /** Packages that an upgrade would install. */
  readonly updates: number;
  /** Those of them that come from a source of security updates. */
  readonly security: number;
}

/** One list of packages that apt has fetched (`apt-get indextargets`). */
export interface IndexTarget {
  readonly file: string;
  /** From a source of security updates: Debian labels it so, Debian and Ubuntu name its suite so. */
  readonly isSecurity: boolean;
}

/** `Inst name [installed] (new Label:version/suite, Label:version/suite [architecture])`; a new package has no `[installed]`. */
const INSTALL = /^Inst \S+ (?:\[[^\]]*\] )?\(\S+ (.*)\[[a-z0-9-]+\]\)/;

const isSecurityLabel = (label: string): boolean => /-security$/i.test(label);
const isSecuritySuite = (suite: string): boolean => /-security$|\/updates$/.test(suite);

/** One of `Debian:12.9/stable, Debian-Security:12/stable-security`. */
function isSecurityRelease(release: string): boolean {
  const colon = release.indexOf(':');
  const slash = release.lastIndexOf('/');
  return isSecurityLabel(release.slice(0, colon)) || (slash >= 0 && isSecuritySuite(release.slice(slash + 1)));
}

/** `apt-get --simulate dist-upgrade`. Null where a line that installs something is not of the documented form. */
export function parseSimulation(text: string): PendingUpdates | null {
  let [updates, security] = [0, 0];
  for (const line of text.split('\n')) {
    if (!line.startsWith('Inst ')) continue;
    const releases = INSTALL.exec(line)?.[1];
    if (releases === undefined) return null;
    updates++;
    if (releases.trim().split(', ').some(isSecurityRelease)) security++;
  }
  return { updates, security };
}

/** `apt-get indextargets`: stanzas of `Key: value`. Null where a stanza names no file. */
export function parseIndexTargets(text: string): IndexTarget[] | null {
  const targets: IndexTarget[] = [];
  for (const stanza of text.split('\n\n')) {
    if (stanza.trim() === '') continue;
    const value = (key: string): string => new RegExp(`^${key}: (.*)$`, 'm').exec(stanza)?.[1] ?? '';
    const file = value('Filename');
    if (!file.startsWith('/')) return null;
    const suites = [value('Suite'), value('Codename'), value('Release')];
    targets.push({ file, isSecurity: isSecurityLabel(value('Label')) || suites.some(isSecuritySuite) });
  }
  return targets;
}
