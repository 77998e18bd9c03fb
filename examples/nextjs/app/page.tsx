/** The shop: a server component that reads the session, and a server action that writes it. */
import Link from 'next/link';
import type { ReactNode } from 'react';
import { addToCart } from '@/app/actions';
import { OutageNotice } from '@/components/notice';
import { ProductArt } from '@/components/product-art';
import { SubmitButton } from '@/components/submit-button';
import { getSession } from '@/lib/session';
import { formatPrice, PRODUCTS, type Product } from '@/lib/shop';

interface Props {
  readonly searchParams: Promise<Record<string, string | string[] | undefined>>;
}

export default async function Shop({ searchParams }: Props): Promise<ReactNode> {
  const session = await getSession();
  const { bye } = await searchParams;
  const cart = session.cart ?? [];
  return (
    <>
      {bye !== undefined && (
        <p className="notice" role="status">
          You are logged out, on every instance. The old cookie opens nothing any more.
        </p>
      )}
      <OutageNotice meta={session.meta} />
      <div className="hero">
        <h1>
          {session.name === undefined ? 'Tea, cake, and a session that lasts' : `Welcome, ${session.name}`}
        </h1>
        <p className="lead">
          Fill your cart, then stop the server that you talk to, or the node that holds your session. Your
          cart will be there all the same.
        </p>
      </div>
      <ul className="products">
        {PRODUCTS.map((product) => (
          <ProductCard
            key={product.id}
            product={product}
            count={cart.filter((id) => id === product.id).length}
          />
        ))}
      </ul>
      <p className="cart-line">
        {cart.length === 0
          ? 'Your cart is empty.'
          : `${cart.length} ${cart.length === 1 ? 'thing' : 'things'} in your cart.`}{' '}
        {cart.length > 0 && <Link href="/cart">Look at it</Link>}
      </p>
    </>
  );
}

function ProductCard({ product, count }: { product: Product; count: number }): ReactNode {
  const { id, name, text, price } = product;
  return (
    <li className="product">
      <div className="picture">
        <ProductArt id={id} />
        {count > 0 && (
          <span className="badge">
            {count}
            <span className="visually-hidden"> in the cart</span>
          </span>
        )}
      </div>
      <h2>{name}</h2>
      <p>{text}</p>
      <form action={addToCart}>
        <span className="price">{formatPrice(price)}</span>
        <input type="hidden" name="item" value={id} />
        <SubmitButton label={`Add ${name} to the cart`}>Add</SubmitButton>
      </form>
    </li>
  );
}
