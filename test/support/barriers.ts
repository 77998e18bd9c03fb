/** What keeps people out of a page, as far as a program can tell. */
import axe from 'axe-core';
import type { Page } from 'playwright-core';

export async function findBarriers(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  // In words, because the types of a browser are not those of the tests.
  return page.evaluate<string[]>(`axe
    .run(document, { resultTypes: ['violations'] })
    .then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + (nodes[0]?.html ?? '')))`);
}
