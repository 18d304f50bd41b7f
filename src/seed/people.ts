import { demoUserEmail } from '../auth/demo-viewer.ts';
import type { User } from '../domains/accounts/tables.ts';
import { createSeededIds, isoTime } from './ids.ts';
import type { OrganizationPlan } from './organizations.ts';
import { createRandom } from './random.ts';

const dayMs = 86_400_000;
/** The demo user has the same id in every database, so that links and tokens outlive a reset. */
export const demoUserId = '018cd6ce-1800-7a1a-8ada-000000000001';
/** Works for both organizations: the same name and address in each, which must never connect them. */
const consultant = { name: 'Sam Okafor', email: 'sam.okafor@gridworks.example' };

/** The people of an organization, the demo user first where it is hers; all joined in the year before `beforeMs`. */
export function createPeople(plan: OrganizationPlan, count: number, beforeMs: number): User[] {
  const random = createRandom(`people of ${plan.name}`);
  const ids = createSeededIds(`people of ${plan.name}`);
  const taken = new Map<string, number>();
  const person = (name: string, email: string, id?: string): User => {
    const createdMs = Math.floor(beforeMs - random.next() * 365 * dayMs);
    const isActive = id !== undefined || random.chance(0.96);
    return { organizationId: plan.id, id: id ?? ids(createdMs), name, email, isActive, createdAt: isoTime(createdMs) };
  };
  const people = plan.isDemo
    ? [{ ...person('Ada Lindqvist', demoUserEmail, demoUserId), createdAt: plan.createdAt }]
    : [];
  people.push(person(consultant.name, consultant.email));
  while (people.length < count) {
    const [first, last] = [random.pick(firstNames), random.pick(lastNames)];
    const local = `${toAscii(first)}.${toAscii(last)}`;
    const earlier = taken.get(local) ?? 0;
    taken.set(local, earlier + 1);
    people.push(person(`${first} ${last}`, `${local}${earlier === 0 ? '' : earlier + 1}@${plan.domain}`));
  }
  return people;
}

function toAscii(name: string): string {
  const plain = name
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .replaceAll('ł', 'l')
    .replaceAll('Ł', 'L')
    .replaceAll('ø', 'o')
    .replaceAll('ı', 'i');
  return plain.toLowerCase().replace(/[^a-z]/g, '');
}

const firstNames = (
  'Aisha Alejandro Amara Anders Anika Antoine Beatriz Björn Camille Carlos Chen Chiara Dalia Daniel Deepa Diego Ebony ' +
  'Elena Emeka Emma Erik Fatima Felix Freya Gabriel Grace Hana Harriet Hassan Helena Hiro Ibrahim Imani Ingrid Isaac Jamal ' +
  'Jasmine Joanna Jonas José Julia Kaito Karim Katarzyna Keiko Kwame Laila Lars Leila Liam Lucía Łukasz Maja Malik Marcus ' +
  'Mariam Mateo Mei Mila Nadia Naveen Nia Niklas Noor Olga Oliver Omar Paolo Petra Priya Quentin Rafael Rania Rosa Ruth ' +
  'Samir Sanne Sofia Søren Stella Tariq Tessa Thandiwe Theo Tomás Uma Valentina Victor Wanjiru Wei Yara Yusuf Zainab Zoë'
).split(' ');

const lastNames = (
  'Abara Adeyemi Albrecht Almeida Andersson Banerjee Bauer Bianchi Brennan Castillo Chowdhury Cohen Costa Dahl Delgado ' +
  'Desai Dlamini Dubois Eriksen Farouk Fernández Fischer Fraser Fujita Gallagher García Haddad Hansen Hoffmann Ibarra ' +
  'Ivanova Jansen Johansson Kapoor Kaya Keller Kim Kowalski Kruger Lefèvre Lindgren Lombardi MacLeod Martinez Mbeki Mehta ' +
  "Meyer Moreau Mori Müller Mutua Nakamura Navarro Ndiaye Nguyen Novak Nowak O'Brien Okoye Olsen Osei Papadopoulos Park " +
  'Patel Pereira Petrov Quinn Rahman Ramos Reyes Rossi Saito Sandoval Santos Schneider Silva Singh Sokolov Sørensen Suzuki ' +
  'Takahashi Tanaka Torres Tran Usman Valdez Vargas Visser Wagner Walsh Weber Wright Yamamoto Yılmaz Zhang Zhou'
).split(' ');
