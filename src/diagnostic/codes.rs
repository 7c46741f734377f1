//! The kinds of fault, each with its stable number. A number is never reused; each has a page `docs/codes/LRnnnn.md`.
//! From 200 on they are lints: warnings, which keep nothing from being loaded.

use super::Code;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $title:literal;)*) => {
        $($(#[$doc])* #[doc = $title] pub const $name: Code = Code($number);)*

        /// Every code with its title, by number.
        pub const ALL: &[(Code, &str)] = &[$((Code($number), $title)),*];
    };
}

codes! {
    UNREADABLE = 1, "a file cannot be read";
    NOT_UTF8 = 2, "a file is not UTF-8";
    TOO_LARGE = 3, "a file is too large";
    SYNTAX = 4, "the YAML cannot be read";
    TOO_DEEP = 5, "the YAML is nested too deep";
    DUPLICATE_KEY = 6, "a key is written twice";
    UNUSED_FEATURE = 7, "a YAML feature that Larum does not take";
    SEVERAL_DOCUMENTS = 8, "several documents in one file";

    UNKNOWN_KEY = 10, "a key that is not known";
    MISSING_KEY = 11, "a key that is missing";
    WRONG_TYPE = 12, "a value of another type";
    NOT_A_CHOICE = 13, "a value that is not among the choices";
    OUT_OF_BOUNDS = 14, "a value outside its limits";
    NOT_A_DURATION = 15, "a duration that cannot be read";
    EXCLUSIVE_KEYS = 16, "keys that exclude each other";
    NOT_SUPPORTED = 17, "something Larum cannot do yet";
    BAD_VALUE = 18, "a value that cannot be read";

    BAD_NAME = 20, "a name with characters it may not have";
    DUPLICATE_NAME = 21, "a name that is taken";
    UNKNOWN_SIBLING = 22, "run_after names an action that is not beside it";
    CYCLE = 23, "actions wait for each other";
    TOO_MANY_ACTIONS = 24, "more actions than a playbook may have";
    NESTED_ACTIONS = 25, "actions nested too deep";

    BAD_CRON = 30, "a cron expression that cannot be read";
    UNKNOWN_ZONE = 31, "a time zone that does not exist";
    FIELD_RULE = 32, "a form field's key that does not fit its type";
    BEFORE_THE_RUN = 33, "a trigger's expression that asks for more than it delivers";
    BAD_RECURRENCE = 34, "a recurrence that does not fit together";
    BAD_SCHEMA = 38, "a JSON schema that cannot be used";
    FIXED_KEY = 39, "a key that does not tell calls apart";

    UNKNOWN_ACTION = 40, "an action that does not exist";
    UNKNOWN_INPUT = 41, "an input the action does not take";
    MISSING_INPUT = 42, "an input the action needs";
    WRONG_INPUT = 43, "an input with a value the action does not take";
    UNKNOWN_TEMPLATE = 44, "a template that does not exist";
    NO_RETRY = 45, "a retry policy on an action that is never retried";
    UNKNOWN_CONNECTION = 46, "a connection that larum.yaml does not have";
    WRONG_CONNECTION = 47, "a connection of another kind";
    NOT_IN_LOOPS = 48, "an action that may not stand in a loop";
    NEEDS_TRIGGER = 49, "an action that needs another trigger";

    EXPRESSION_SYNTAX = 50, "an expression that cannot be read";
    DOUBLE_QUOTES = 51, "double quotes in an expression";
    MIXED_LANGUAGES = 52, "two languages in one text";
    UNKNOWN_FUNCTION = 53, "a function that does not exist";
    PARAMETER_COUNT = 54, "too few or too many parameters";
    UNKNOWN_WORD = 55, "a word that stands for nothing";
    INLINE_BLOCK = 56, "a block word used inline";
    UNKNOWN_BLOCK = 57, "a block that does not exist";
    DYNAMIC_PARTIAL = 58, "a partial whose name is computed";
    UNKNOWN_PARTIAL = 59, "a partial that does not exist";
    RECURSIVE_PARTIAL = 60, "a partial that includes itself";
    EXPRESSION_SIZE = 61, "an expression that is too long or too deep";

    UNKNOWN_FIELD = 70, "a field the trigger does not deliver";
    UNKNOWN_REFERENCE = 71, "a reference to an action that does not exist";
    NOT_BEFORE = 72, "a reference to an action that cannot have run";
    SELF_REFERENCE = 73, "an action that refers to itself";
    INSIDE_CONTAINER = 74, "a container read from inside";
    UNKNOWN_VARIABLE = 75, "a variable that does not exist";
    UNKNOWN_PARAMETER = 76, "a parameter that does not exist";
    OUTSIDE_LOOP = 77, "item outside a loop";
    NO_REQUEST = 78, "request without a request";
    NESTED_LOOPS = 79, "an action inside of several loops read from outside";

    SAME_PLAYBOOK = 80, "two playbooks of one name";
    SAME_PATH = 81, "two forms or webhooks at one address";
    PARAMETER_VALUE = 82, "a parameter without a fitting value";
    SAME_RULE = 83, "two automation rules of one name";
    RULE_PLAYBOOK = 84, "a playbook that an automation rule cannot run";
    RULE = 85, "an automation rule that does not fit together";

    LITERAL_SECRET = 90, "a secret that is written down";
    PLAIN_TRANSPORT = 91, "an unencrypted connection to another machine";
    EXPOSED = 92, "an address that others reach, without encryption";

    TEST_PLAYBOOK = 110, "a test without its playbook";
    TEST_GIVEN = 111, "a test gives what the trigger does not take";
    TEST_ANSWER = 112, "a test answers what was not asked";

    MIXED_LETTER_CASE = 200, "upper and lower case told apart beside where they are not";
    WHOLE_DIVISION = 201, "a division that drops what is left over";
    RACING_VARIABLE = 202, "a variable that iterations set at once";
    ENDLESS_UNTIL = 203, "a loop that can only end at its limit";
    HANDLED_FAILURE = 204, "a handled failure that leaves the run failed";
    COPIED_SECRET = 205, "a secret that goes into a mail or an incident";
    DOUBLED_POST = 206, "a call that can be made twice";
    MAIL_IN_URL = 207, "an address made of what a mail says";
}
