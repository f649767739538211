// The order of test files: those that take longest first, so that no worker is left with one of them when the others are done.
// A fresh checkout has no durations of a run before, and vitest then goes by the size of files.
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that took more than forty seconds, longest first; the rest follows by size. */
const LONGEST = [
  'crash-200',
  'updates',
  'appliance-heals',
  'healing-month',
  'central-evidence-s3',
  'installer',
  'simulated-day',
  'first-boot',
  'attacks/answers',
  'daemon-bad-network',
  'power-cut',
  'epochs-damage',
  'root-rotation',
  'learnt-rule',
  'e2e/demo',
  'appliance-service',
  'attacks/documents',
  'stepped-clocks',
  'appliance-runbooks',
  'e2e/healing',
  'e2e/self-care',
  'e2e/targets',
  'egress',
  'greedy-daemon',
  'claims-daemon',
  'e2e/crash',
  'rotate-device-key',
  'epochs-rewind',
  'epochs-kill',
  'debian-root',
  'timestamp',
  'operations',
];

/** @returns the place of a file among those that take longest; after all of them for every other */
function placeOf(moduleId: string): number {
  const place = LONGEST.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`));
  return place < 0 ? LONGEST.length : place;
}

export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const bySize = await super.sort(files);
    const groupOf = ({ project }: TestSpecification): string => `${project.config.sequence.groupOrder} ${project.name}`;
    // Groups stay as they are: some must run alone, after the others.
    const groups = [...new Set(bySize.map(groupOf))];
    return groups.flatMap((group) =>
      bySize.filter((file) => groupOf(file) === group).toSorted((a, b) => placeOf(a.moduleId) - placeOf(b.moduleId)),
    );
  }
}
