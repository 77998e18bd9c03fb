/** The cart, and what happens when two tabs fill it at once. */
import type { Metadata } from 'next';
import Link from 'next/link';
import type { ReactNode } from 'react';
import { removeFromCart } from '@/app/actions';
import { Code } from '@/components/code';
import { OutageNotice } from '@/components/notice';
import { ParallelButton } from '@/components/parallel-button';
import { SubmitButton } from '@/components/submit-button';
import { getSession } from '@/lib/session';
import { formatPrice, PRODUCTS } from '@/lib/shop';

export const metadata: Metadata = { title: 'Cart' };

const CODE = `const session = await getSession(request);
// Runs again on the newer cart when another tab was first.
await session.update((data) => (data.cart = [...(data.cart ?? []), item]));`;

export default async function Cart(): Promise<ReactNode> {
  const session = await getSession();
  const cart = session.cart ?? [];
  return (
    <>
      <OutageNotice meta={session.meta} />
      <h1>Your cart</h1>
      {cart.length === 0 ? (
        <p>
          It is empty. <Link href="/">Go and choose something</Link>.
        </p>
      ) : (
        <CartTable cart={cart} />
      )}
      <section className="live" aria-labelledby="tabs">
        <h2 id="tabs">Two tabs at once</h2>
        <p>
          Open this page in a second tab and fill the cart in both, or let three requests put a mug into it at
          the same moment. None of them is lost.
        </p>
        <ParallelButton path="/api/cart" body={{ item: 'mug' }} times={3}>
          Add three mugs at the same moment
        </ParallelButton>
        <Code>{CODE}</Code>
      </section>
    </>
  );
}

function CartTable({ cart }: { cart: readonly string[] }): ReactNode {
  const lines = PRODUCTS.map((product) => ({
    ...product,
    count: cart.filter((id) => id === product.id).length,
  })).filter(({ count }) => count > 0);
  const total = lines.reduce((sum, { price, count }) => sum + price * count, 0);
  return (
    <table className="cart">
      <caption className="visually-hidden">What you have put into the cart</caption>
      <thead>
        <tr>
          <th scope="col">Thing</th>
          <th scope="col" className="number">
            Count
          </th>
          <th scope="col" className="number">
            Price
          </th>
          <th scope="col">
            <span className="visually-hidden">Remove</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {lines.map(({ id, name, count, price }) => (
          <tr key={id}>
            <th scope="row">{name}</th>
            <td className="number">{count}</td>
            <td className="number">{formatPrice(price * count)}</td>
            <td className="number">
              <form action={removeFromCart}>
                <input type="hidden" name="item" value={id} />
                <SubmitButton className="button small quiet" label={`Remove one ${name}`}>
                  Remove
                </SubmitButton>
              </form>
            </td>
          </tr>
        ))}
      </tbody>
      <tfoot>
        <tr>
          <th scope="row" colSpan={2}>
            Total
          </th>
          <td className="number">{formatPrice(total)}</td>
          <td />
        </tr>
      </tfoot>
    </table>
  );
}
