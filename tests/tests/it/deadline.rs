//! Lambda ends a function that is out of time. Until then it has told of everything that it did, and nothing is half done.
