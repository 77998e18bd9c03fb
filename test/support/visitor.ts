/** A visitor of the example shop, in a browser of his own. */
import type { Browser, BrowserContext, Page } from 'playwright-core';

/** Longest wait for anything on a page, milliseconds: finding a dead node may take some requests. */
const PATIENCE_MS = 20_000;

export class Visitor {
  readonly context: BrowserContext;
  readonly page: Page;
  readonly url: string;

  private constructor(context: BrowserContext, page: Page, url: string) {
    this.context = context;
    this.page = page;
    this.url = url;
  }

  static async arrive(
    browser: Browser,
    url: string,
    options: { readonly javaScriptEnabled?: boolean } = {},
  ): Promise<Visitor> {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(PATIENCE_MS);
    return new Visitor(context, await context.newPage(), url);
  }

  async open(path: string, page: Page = this.page): Promise<Page> {
    await page.goto(this.url + path);
    return page;
  }

  async logIn(name = 'Ada'): Promise<void> {
    await this.open('/login');
    await this.page.getByLabel('Your name').fill(name);
    await this.page.getByRole('main').getByRole('button', { name: 'Log in' }).click();
    await this.page.getByRole('heading', { name: `Welcome, ${name}` }).waitFor();
  }

  /** Puts one into the cart and waits until the page shows it. */
  async add(product: string, page: Page = this.page): Promise<void> {
    const card = page.getByRole('listitem').filter({ has: page.getByRole('heading', { name: product }) });
    const badge = card.locator('.badge');
    const before = (await badge.count()) === 0 ? 0 : Number.parseInt(await badge.innerText(), 10);
    await card.getByRole('button').click();
    await badge.filter({ hasText: new RegExp(`^${before + 1}\\b`) }).waitFor();
  }

  /** Tells the browser the newest version, whatever answers came at the same moment before. */
  async lookBehind(): Promise<void> {
    await this.page.evaluate(async () => (await fetch('/api/session?fresh')).text());
  }

  async logOut(): Promise<void> {
    await this.page.getByRole('button', { name: 'Log out' }).click();
    await this.page.getByText('You are logged out').waitFor();
  }

  /** A row of the panel, when its text matches. */
  async fact(name: string, pattern: RegExp): Promise<string> {
    const value = this.page.locator('.facts div').filter({ has: this.page.getByText(name, { exact: true }) });
    const match = value.locator('dd').filter({ hasText: pattern });
    await match.waitFor();
    return match.innerText();
  }

  /** The index of the session's home, as the panel shows it. */
  async home(): Promise<number> {
    return Number(/\d+/.exec(await this.fact('Home', /^node \d+$/))?.[0]);
  }

  /** Waits until the panel tells this. */
  async told(text: string | RegExp): Promise<void> {
    await this.page
      .locator('.panel .told li')
      .filter({ hasText: text })
      .first()
      .waitFor({ state: 'attached' });
  }

  /** Cookie → value. */
  async cookies(): Promise<Map<string, string>> {
    return new Map((await this.context.cookies()).map(({ name, value }) => [name, value]));
  }

  async cookieHeader(): Promise<string> {
    return [...(await this.cookies())].map(([name, value]) => `${name}=${value}`).join('; ');
  }
}
