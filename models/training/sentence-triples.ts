/** Sentences with a rewording and with one of another meaning, written for this project, to see how embeddings do. */

export interface SentenceTriple {
  text: string;
  /** Says the same. */
  reworded: string;
  /** Says something else, in similar words. */
  different: string;
}

/** The rewording keeps some of the words. Never trained on; whoever tunes a model on them must stop quoting its figures. */
export const rewordedTriples: readonly SentenceTriple[] = [
  triple('How do I reset my password?', 'I need to reset the password', 'How do I change my address?'),
  triple('Where can I download my invoice?', 'I want to download the invoice', 'Where can I upload my photo?'),
  triple('The app crashes when I open a file', 'Opening files makes the app crash', 'The app asks when I close a file'),
  triple('Which plan includes the API?', 'Is the API included in my plan?', 'Which room includes the breakfast?'),
  triple('What time does the museum open?', 'Opening time of the museum', 'What does the museum cost?'),
  triple(
    'The solar panels produce less than expected',
    'Less produced by solar panels than we expected',
    'The water pumps produce more noise than expected',
  ),
  triple('When will my parcel be delivered?', 'Delivery date of my parcel', 'When will my contract be signed?'),
  triple('Can I take my dog on the train?', 'Are dogs allowed on trains?', 'Can I take my bike on the ferry?'),
  triple(
    'The engine makes a strange noise',
    'There is a strange noise from the engine',
    'The kitchen has a strange smell',
  ),
  triple('How many calories are in an apple?', 'Apple calories', 'How many countries are in Africa?'),
  triple(
    'Please translate this letter into French',
    'I need a French translation of a letter',
    'Please print this letter in colour',
  ),
  triple('The heating in room 12 is broken', 'Broken heating, room 12', 'The window in room 12 is open'),
  triple('Who wrote this poem?', 'The writer of the poem, who is it?', 'Who painted this wall?'),
  triple('Energy use was lower in winter', 'In winter less energy was used', 'Rainfall was higher in summer'),
  triple(
    'My camera does not connect to the laptop',
    'Cannot connect camera with laptop',
    'My printer does not like the paper',
  ),
  triple('The meeting was moved to Friday', 'We moved our meeting to Friday', 'The statue was moved to Berlin'),
  triple('Add a second user to my account', 'Adding another user to an account', 'Add a second sugar to my coffee'),
  triple('The forecast for tomorrow is rain', "Tomorrow's forecast: rain", 'The menu for tomorrow is fish'),
  triple('Is there parking near the station?', 'Parking spaces at the station', 'Is there a dentist near the school?'),
  triple('Exporting the report as PDF fails', 'PDF export of reports failed', 'Reading the report as homework bores'),
];

/** The rewording has hardly a word in common with the text. */
export const synonymTriples: readonly SentenceTriple[] = [
  triple('I want a refund', 'Give me my money back', 'I want a receipt'),
  triple('The film was boring', 'That movie made me yawn', 'The film was Italian'),
  triple('My car will not start', 'The vehicle is dead', 'My race will not start'),
  triple('The physician is ill', 'Our doctor is sick', 'The physician is rich'),
  triple('How tall is the tower?', 'Height of that building?', 'How old is the tower?'),
  triple('Delete my profile', 'Remove the account', 'Delete my comment'),
  triple('The child is asleep', 'A kid sleeps', 'The child is hungry'),
  triple('Where do you live?', 'What is your home town?', 'Where do you work?'),
  triple('The shop is shut', 'They have closed the store', 'The shop is new'),
  triple('It costs too much', 'Such a high price', 'It weighs too much'),
];

/** The second sentence is not the same, and yet has almost the same words. */
export const oppositePairs: readonly (readonly [string, string])[] = [
  ['Please cancel my order', 'Please do not cancel my order'],
  ['Flights from Paris to Rome', 'Flights from Rome to Paris'],
  ['The first payment was accepted', 'The last payment was accepted'],
  ['How do I switch the lights on?', 'How do I switch the lights off?'],
  ['The tenant pays the landlord', 'The landlord pays the tenant'],
  ['Is the pool open in summer?', 'Is the pool open in winter?'],
];

function triple(text: string, reworded: string, different: string): SentenceTriple {
  return { text, reworded, different };
}
