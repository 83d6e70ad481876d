use crate::{Persona, PromptSize};

/// Question, then the notes of which the first that is picked has to be one; none: it has to be silent.
const LABELLED: &[(&str, &[&str])] = &[
    ("Sir mujhe backend development kaise start karna hai?", &["backend-start"]),
    ("LangGraph kya hota hai?", &["langgraph"]),
    ("Docker vs VM difference batao", &["docker-vs-vm"]),
    ("mujhe tutorial hell se kaise niklu", &["tutorial-hell"]),
    ("tutorial hell se kese niklu bhaiya", &["tutorial-hell"]),
    ("write factorial in Python", &["recursion", "python-basics"]),
    ("what is an API?", &["what-is-an-api"]),
    ("api kya hoti h", &["what-is-an-api"]),
    ("docker kya hai", &["docker"]),
    ("doker kaise sikhe", &["docker"]),
    ("dcoker image kaise banaye", &["docker"]),
    ("डॉकर क्या है?", &["docker"]),
    ("बैकएंड कैसे शुरू करें", &["backend-start"]),
    ("FastAPI mein pehla endpoint kaise banau?", &["fastapi"]),
    ("fast api vs express", &["fastapi", "express"]),
    ("How does RAG work, and when should I use it?", &["rag"]),
    ("mongodb ka schema kaise design karu", &["mongodb"]),
    ("mango db connect nahi ho raha", &["mongodb"]),
    ("JWT authentication kaise lagaye express mein", &["auth-jwt"]),
    ("refresh token kyu chahiye", &["auth-jwt"]),
    ("app ko render pe deploy kaise karu", &["deployment"]),
    ("website deployement kaise hota hai", &["deployment"]),
    ("git merge conflict aa gaya kya karu", &["git"]),
    ("pull reqest kaise banate hai", &["git"]),
    ("langchain use karna chahiye ya nahi", &["langchain"]),
    ("lang chain mein agent kaise banate hai", &["langchain"]),
    ("n8n se whatsapp automation ho sakta hai?", &["n8n"]),
    ("main mechanical se hu, IT mein career switch kaise karu", &["career-switch"]),
    ("internship nahi mil rahi", &["internships"]),
    ("2nd year mein intership kaise milegi", &["internships"]),
    ("youtube channel shuru karna hai", &["youtube-creator"]),
    ("youtuber kaise bane", &["youtube-creator"]),
    ("DSA kitna zaruri hai placement ke liye", &["dsa-how-much"]),
    ("interview mein bahut ghabrahat hoti hai", &["interview-nervousness"]),
    ("resume mein kya likhu fresher hu", &["resume"]),
    ("CORS error aa raha hai react app mein", &["cors"]),
    ("async await samajh nahi aata", &["javascript-async"]),
    ("react hooks samjhao", &["react"]),
    ("raect kaise seekhe", &["react"]),
    ("nodejs single threaded hai to fast kaise", &["nodejs"]),
    ("node.js kya hai", &["nodejs"]),
    ("postgres ya mysql kaunsa seekhu", &["sql-and-postgres"]),
    ("sql joins explain karo", &["sql-and-postgres"]),
    ("redis se caching kaise kare", &["redis-caching"]),
    ("system design interview ki taiyari", &["system-design", "interview-nervousness"]),
    ("unit testing kaise likhte hai pytest se", &["testing"]),
    ("linux comands kaunse aane chahiye", &["linux-bash"]),
    ("laptop par ollama chala sakte hai kya", &["local-llms"]),
    ("typescript seekhna zaroori hai?", &["typescript"]),
    ("tipescript vs javascript", &["typescript"]),
    ("recursion samajh nahi aa raha", &["recursion"]),
    ("flask aur django mein kya farak hai", &["flask-or-django"]),
    ("kaunsa project banau resume ke liye", &["project-ideas", "resume"]),
    ("thak gaya hu coding karke, mann nahi lagta", &["consistency-burnout"]),
    ("code nahi chal raha, bug kaise dhundu", &["debugging"]),
    ("coding kahan se shuru karu, roadmap do", &["learning-roadmap"]),
    ("express middleware kya hota hai", &["express"]),
    ("rest api mein put aur patch ka antar", &["rest-api"]),
    ("pyton kaise seekhu", &["python-basics"]),
    // Nothing of these is in the handbook.
    ("mujhe kaise kare", &[]),
    ("aaj mausam kaisa hai", &[]),
    ("IPL kaun jeeta", &[]),
    ("virat kohli ka score kya hai", &[]),
    ("paneer butter masala kaise banate hai", &[]),
    ("chai kaise banaye", &[]),
    ("mumbai se goa train kitne baje hai", &[]),
    ("meri girlfriend mujhse baat nahi karti", &[]),
    ("who is the prime minister of India?", &[]),
    ("best horror movie batao", &[]),
    ("hello sir kaise ho aap", &[]),
    ("ek joke sunao", &[]),
    ("share market mein paisa lagana chahiye?", &[]),
    ("weight loss ke liye diet plan", &[]),
    ("मौसम कैसा है आज", &[]),
    ("how to reach Delhi airport", &[]),
    ("dhaba par khana order karna hai", &[]),
    ("gaana sunao koi", &[]),
    ("", &[]),
    ("???", &[]),
];

fn first(persona: &Persona, question: &str, previous: Option<&str>) -> Option<String> {
    persona.select_notes(question, previous, PromptSize::Full).into_iter().next()
}

#[test]
fn labelled_questions_find_their_note() {
    let persona = Persona::builtin("hitesh").unwrap();
    let ids: Vec<_> = persona.note_ids().collect();
    for (_, labels) in LABELLED {
        assert!(labels.iter().all(|label| ids.contains(label)), "a label names no note: {labels:?}");
    }
    let wrong = wrong(&persona, LABELLED);
    assert!(wrong.is_empty(), "{} of {} wrong: {wrong:#?}", wrong.len(), LABELLED.len());
}

#[test]
fn two_subjects_find_two_notes() {
    let persona = Persona::builtin("hitesh").unwrap();
    let mut found = persona.select_notes("docker mein mongodb kaise chalau", None, PromptSize::Full);
    found.sort_unstable();
    assert_eq!(found, ["docker", "mongodb"]);
    assert_eq!(persona.select_notes("docker mein mongodb kaise chalau", None, PromptSize::Compact).len(), 1);
}

#[test]
fn a_follow_up_leans_on_the_question_before() {
    let persona = Persona::builtin("hitesh").unwrap();
    let cases = [
        ("aur iska code?", "fastapi kya hai", Some("fastapi")),
        ("thoda detail mein batao", "docker kya hai", Some("docker")),
        ("ek example do", "rag kya hai", Some("rag")),
        ("how does it work?", "what is redis", Some("redis-caching")),
        ("redis kya hai", "docker kya hai", Some("redis-caching")),
        ("IPL kaun jeeta", "docker kya hai", None),
        ("aur batao", "IPL kaun jeeta", None),
    ];
    for (question, previous, expected) in cases {
        assert_eq!(first(&persona, question, Some(previous)).as_deref(), expected, "{previous} → {question}");
    }
    let both = persona.select_notes("isme mongodb kaise connect karu", Some("express kya hai"), PromptSize::Full);
    assert_eq!(both, ["mongodb", "express"]);
}

#[test]
fn no_question_is_too_strange() {
    let persona = Persona::builtin("hitesh").unwrap();
    for question in ["🍵🍵", "\u{94d}\u{93c}", "a\u{301}\u{301}", "ﷺ", &"docker ".repeat(400), &"x".repeat(2000)]
    {
        persona.select_notes(question, Some(question), PromptSize::Full);
    }
}

/// 58 of 64 when it was first measured; the faults were mended since, so it is no longer unseen.
const SEEN_ONCE: &[(&str, &[&str])] = &[
    ("sir backend sikhne ka sahi order kya hai", &["backend-start", "learning-roadmap"]),
    ("bhaiya auth kaise lagau apne project me", &["auth-jwt"]),
    ("token expire ho jata hai baar baar, refresh kaise karu", &["auth-jwt"]),
    ("containers aur virtual machines mein kya antar hai", &["docker-vs-vm"]),
    ("dockerfile likhna nahi aata", &["docker"]),
    ("git push reject ho raha hai", &["git"]),
    ("galat branch pe commit kar diya", &["git"]),
    ("phastapi ya jango", &["fastapi", "flask-or-django"]),
    ("pydantic kis kaam aata hai", &["fastapi"]),
    ("mujhe AI agent banana hai kahan se start karu", &["langchain", "langgraph"]),
    ("pdf se baat karne wala chatbot banana hai", &["rag"]),
    ("embedings kya hote hai", &["rag"]),
    ("बिना कोड के ऑटोमेशन कैसे करूं", &["n8n"]),
    ("telegram bot banana hai bina code ke", &["n8n"]),
    ("meri umar 32 hai, kya main developer ban sakta hu", &["career-switch", "learning-roadmap"]),
    ("BPO job chhod ke coding karni hai", &["career-switch"]),
    ("internship ke liye cold mail kaise likhu", &["internships"]),
    ("videos dekhta rehta hu par khud se kuch nahi banta", &["tutorial-hell"]),
    ("blank screen dekh ke dimag band ho jata hai", &["tutorial-hell"]),
    ("apna yt channel kholna hai tech ka", &["youtube-creator"]),
    ("camera ke samne sharam aati hai", &["youtube-creator"]),
    ("leetcode kitne questions karu", &["dsa-how-much"]),
    ("interviewer ke saamne blank ho jata hu", &["interview-nervousness"]),
    ("mera CV shortlist nahi ho raha", &["resume"]),
    ("preflight request kyu jaati hai", &["cors"]),
    ("blocked by CORS policy ka error", &["cors"]),
    ("promise aur callback mein farq", &["javascript-async"]),
    ("useEffect do baar kyu chalta hai", &["react"]),
    ("event loop samjhao na", &["nodejs"]),
    ("table join karne mein dikkat hai", &["sql-and-postgres"]),
    ("noSQL kab use kare", &["mongodb"]),
    ("cache invalidate kaise karte hai", &["redis-caching"]),
    ("load balencer kya hota hai", &["system-design"]),
    ("microservices karu ya monolith", &["system-design"]),
    ("test cases likhna kyu zaroori hai", &["testing"]),
    ("ubuntu install karu ya wsl", &["linux-bash"]),
    ("apne PC par LLM chala sakta hu kya", &["local-llms"]),
    ("generics kya hote hai typescript mein", &["typescript"]),
    ("fibonaci series ka code", &["recursion"]),
    ("HTTP status code 404 aur 500 mein difference", &["rest-api"]),
    ("burn out ho gaya hu", &["consistency-burnout"]),
    ("final year ke liye project suggest karo", &["project-ideas"]),
    ("vercel pe host karna hai", &["deployment"]),
    ("python seekhne ke baad kya karu", &["python-basics"]),
    ("traceback kaise padhte hai", &["debugging"]),
    ("How do I deploy my Express app?", &["deployment", "express"]),
    ("I keep failing interviews, what should I do?", &["interview-nervousness"]),
    ("Can I learn web development at 40?", &["learning-roadmap", "career-switch", "backend-start"]),
    ("biryani ki recipe do", &[]),
    ("kal chhutti hai kya", &[]),
    ("petrol ka rate kya chal raha hai", &[]),
    ("modi ji ki age kya hai", &[]),
    ("who won the world cup in 2011", &[]),
    ("mujhe neend nahi aati raat ko", &[]),
    ("shaadi ke liye ladki kaise dhundhe", &[]),
    ("aapka favourite gaana kaunsa hai", &[]),
    ("train ticket cancel kaise kare", &[]),
    ("tell me a story about a king", &[]),
    ("bitcoin kharidu ya nahi", &[]),
    ("gym jaana kab se shuru karu", &[]),
    ("translate good morning to French", &[]),
    ("salman khan ki nayi film kaisi hai", &[]),
    ("electricity bill kaise bhare online", &[]),
    ("capital of Australia", &[]),
];

/// Measured once, when all else was done, and not tuned on since. Keep it so: mend what it shows with questions of your
/// own.
const UNSEEN: &[(&str, &[&str])] = &[
    ("REST aur GraphQL mein kya behtar hai", &["rest-api"]),
    ("mujhe terminal se dar lagta hai", &["linux-bash"]),
    ("docker container ke andar database rakhu kya", &["docker", "sql-and-postgres"]),
    ("jwt token localstorage me rakhna safe hai?", &["auth-jwt"]),
    ("mongoose schema validation", &["mongodb"]),
    ("langgraf mein state kya hoti hai", &["langgraph"]),
    ("webhook kya cheez hai", &["n8n"]),
    ("kya arts wale coding mein career bana sakte hai", &["career-switch"]),
    ("fresher ko resume mein projects kaise likhne chahiye", &["resume", "project-ideas"]),
    ("motivation nahi rehta do din baad", &["consistency-burnout"]),
    ("aise projects batao jo portfolio mein ache lage", &["project-ideas"]),
    ("railway pe backend deploy nahi ho raha", &["deployment", "backend-start"]),
    ("git rebase ya merge", &["git"]),
    ("redis ka use case batao", &["redis-caching"]),
    ("रिएक्ट हुक्स समझाओ", &["react"]),
    ("पाइथन कैसे सीखें", &["python-basics"]),
    ("इंटरव्यू से डर लगता है", &["interview-nervousness"]),
    ("how do I get my first internship?", &["internships"]),
    ("explain promises in javascript", &["javascript-async"]),
    ("which is better for beginners, Flask or Django?", &["flask-or-django"]),
    ("virtual environment kyu banate hai python me", &["python-basics"]),
    ("scalling kaise karte hai jab users badh jaye", &["system-design"]),
    ("pytest fixture", &["testing"]),
    ("mere code me bug nahi mil raha", &["debugging"]),
    ("aaj dinner mein kya banau", &[]),
    ("mera phone hang ho raha hai", &[]),
    ("rajasthan ghumne kab jaye", &[]),
    ("who wrote Hamlet", &[]),
    ("exam mein fail ho gaya, ghar wale gussa hai", &[]),
    ("kutte ka naam kya rakhu", &[]),
    ("cricket ka bat kaunsa lu", &[]),
    ("what is the weather in Jaipur", &[]),
];

fn wrong(persona: &Persona, set: &[(&str, &[&str])]) -> Vec<String> {
    set.iter()
        .map(|(question, labels)| (question, labels, persona.select_notes(question, None, PromptSize::Full)))
        .filter(|(_, labels, found)| match found.first() {
            Some(first) => !labels.contains(&first.as_str()),
            None => !labels.is_empty(),
        })
        .map(|(question, labels, found)| format!("{question}: {labels:?} but {found:?}"))
        .collect()
}

#[test]
fn most_questions_that_were_not_tuned_on_find_their_note_or_silence() {
    let persona = Persona::builtin("hitesh").unwrap();
    for set in [SEEN_ONCE, UNSEEN] {
        let wrong = wrong(&persona, set);
        assert!(wrong.len() * 8 <= set.len(), "{} of {} wrong: {wrong:#?}", wrong.len(), set.len());
    }
}
