/** Puts something into the cart. */
import { mutation, readText } from '@/lib/api';
import { getSession } from '@/lib/session';
import { findProduct } from '@/lib/shop';

export const POST = mutation(async (request) => {
  const { item } = await readText(request, ['item']);
  const product = findProduct(item);
  if (product === null) return Response.json({ error: 'unknown_item' }, { status: 400 });
  const session = await getSession(request);
  // Two tabs may do this at the same time: the function runs again on what the other one has saved.
  const cart = await session.update((data) => (data.cart = [...(data.cart ?? []), product.id]));
  return Response.json({ cart });
});
