import type { TrustState } from './trust-state.ts';

/** Unless the site's policy names another number: policy, not law. The legal floor is six years, and so is the schema's. */
export const DEFAULT_RETENTION_YEARS = 7;
/** 366 days, so that no number of years comes out short. */
export const RETENTION_YEAR_S = 31_622_400;

/** Until when what is stored now for a site is kept, Unix seconds. */
export function retainUntil(
  { trust, now }: { readonly trust: TrustState; readonly now: () => number },
  siteId: string,
): number {
  const years = trust.policy(siteId)?.value.retention_years ?? DEFAULT_RETENTION_YEARS;
  return now() + years * RETENTION_YEAR_S;
}
