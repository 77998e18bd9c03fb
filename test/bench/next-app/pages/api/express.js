/** The handler with the session that express-session put on the request before Next.js saw it. */
import { change, look } from '../../lib/visit.mjs';

export default function handler(request, response) {
  if (request.method === 'POST') change(request.session);
  response.status(200).json(look(request.session));
}
