//! The network between the engine and its providers: late, lossy, and fond of web pages.

use bulk_topup::domain::{Delivery, HttpRequest, NetFault, Reply};
use bulk_topup::engine::CallId;

use crate::dice::Dice;
use crate::plan::{Chaos, MINUTE, SECOND};
use crate::wire::Asked;
use crate::world::{Broken, Happening, TIMEOUT, World};

/// Who waits for the answer to a request.
#[derive(Debug)]
pub struct Answering {
    life: u64,
    call: CallId,
    after: u64,
    fault: Fault,
}

/// What befalls a reply on its way.
#[derive(Clone, Debug)]
pub enum Fault {
    None,
    Lost,
    BrokenOff,
    Replaced(u16, &'static str),
    Cut(u64),
}

impl World {
    /// Puts a request on its way.
    pub fn dispatch(&mut self, lane: usize, call: CallId, asked: Asked, request: &HttpRequest) {
        assert!(request.reply_bytes_max >= 64 * 1024);
        let key = asked.key();
        let nth = self.times.entry(key.clone()).or_default();
        *nth += 1;
        let mut dice = Dice::keyed(self.plan.seed, "network", &key, *nth);
        // A process that stands still sends when it goes on.
        let (life, t) = (self.life, self.t.max(self.thaw));
        let question = !matches!(asked, Asked::Submit(_) | Asked::LookById(_) | Asked::LookByRef(_));
        // Or hardly anything would ever be sent while things go wrong.
        let chaos = if question { self.chaos.for_questions() } else { self.chaos.clone() };
        let submit = matches!(asked, Asked::Submit(_));
        let bound = t + self.plan.grace_us * 9 / 10;
        let fail = |world: &mut Self, after: u64, delivery: Delivery| {
            world.at(t + after, Happening::Deliver { life, call, delivery });
        };
        let out = self
            .outages
            .iter()
            .any(|(of, all, from, to)| *of == lane && (*all || !submit) && (*from..*to).contains(&t));
        if dice.chance(chaos.not_sent) || (out && dice.chance(500)) {
            let fault = dice.pick(&[NetFault::Connect, NetFault::Tls]);
            return fail(self, dice.span(100, 3 * SECOND), Delivery::NotSent(fault));
        }
        self.hint(lane, &asked, &mut dice);
        if out || dice.chance(chaos.lost) {
            if dice.chance(500) {
                return fail(self, dice.span(100, 3 * SECOND), Delivery::MaybeSent(NetFault::Broken));
            }
            return fail(self, TIMEOUT, Delivery::MaybeSent(NetFault::TimedOut));
        }
        if submit && dice.chance(chaos.late) {
            let when = dice.span(t + TIMEOUT / 2, bound);
            self.at(when, Happening::Arrive { lane, asked, left: t, hidden_until_max: bound, answer: None });
            // A gateway on the way may answer before it hands the request on.
            return if dice.chance(500) {
                fail(self, dice.span(SECOND, 5 * SECOND), replied(504, true, "gateway time-out".to_owned()))
            } else {
                fail(self, TIMEOUT, Delivery::MaybeSent(NetFault::TimedOut))
            };
        }
        let when = t + dice.span(1000, 2 * SECOND);
        let fault = reply_fault(&chaos, &mut dice);
        let answer = Some(Answering { life, call, after: dice.span(1000, SECOND), fault });
        if submit && self.models[lane].plan.habits.refuses_duplicates && dice.chance(chaos.twice) {
            // A proxy on the way sends it again; the answer to the second one is what comes back.
            let first = Happening::Arrive {
                lane,
                asked: asked.clone(),
                left: t,
                hidden_until_max: bound,
                answer: None,
            };
            self.at(when, first);
            self.at(
                when + SECOND,
                Happening::Arrive { lane, asked, left: t, hidden_until_max: bound, answer },
            );
        } else {
            self.at(when, Happening::Arrive { lane, asked, left: t, hidden_until_max: bound, answer });
        }
        fail(self, TIMEOUT, Delivery::MaybeSent(NetFault::TimedOut));
    }

    /// Callbacks, true ones and forged ones.
    fn hint(&mut self, lane: usize, asked: &Asked, dice: &mut Dice) {
        let mut dice = Dice::new(dice.clone().next());
        let often = if self.flood { 1000 } else { self.chaos.hints };
        if !dice.chance(often) {
            return;
        }
        let id = match asked {
            Asked::Submit(submitted) => submitted.id.clone(),
            Asked::LookById(id) if dice.chance(200) => id.clone(),
            _ => return,
        };
        let life = self.life;
        let times = dice.span(1, 3);
        for _ in 0..times {
            let when = self.t + dice.span(1000, 15 * MINUTE);
            self.at(when, Happening::Hint { life, id: id.clone() });
            let forged = dice.pick(&["00000000000000000000", "ZZZZZZZZZZZZZZZZZZZZZZZZ", "no id"]).to_owned();
            self.at(when, Happening::Hint { life, id: forged });
        }
        let _ = lane;
    }

    /// A request reaches its provider.
    pub fn arrive(
        &mut self,
        lane: usize,
        asked: &Asked,
        hidden_until_max: u64,
        answer: Option<Answering>,
    ) -> Result<(), Broken> {
        let chaos = self.chaos.clone();
        let reply = self.models[lane].act(asked, self.t, hidden_until_max, &chaos);
        if let (Asked::Submit(submitted), Some(place)) = (asked, reply.placed) {
            self.say(|| {
                format!("the provider takes {}: {:?}", submitted.id, self.models[lane].orders[place].fate)
            });
            self.check_placed(lane, place)?;
        }
        let Some(Answering { life, call, after, fault }) = answer else { return Ok(()) };
        let delivery = match fault {
            Fault::None => replied(200, true, reply.body),
            Fault::Lost => return Ok(()),
            Fault::BrokenOff => Delivery::MaybeSent(NetFault::Broken),
            Fault::Replaced(status, body) => replied(status, true, body.to_owned()),
            Fault::Cut(permille) => {
                let kept = reply.body.len() * permille as usize / 1000;
                replied(200, false, reply.body.get(..kept).unwrap_or_default().to_owned())
            }
        };
        self.at(self.t + after, Happening::Deliver { life, call, delivery });
        Ok(())
    }
}

fn replied(status: u16, intact: bool, body: String) -> Delivery {
    Delivery::Replied(Reply { status, intact, body: body.into_bytes() })
}

fn reply_fault(chaos: &Chaos, dice: &mut Dice) -> Fault {
    if dice.chance(chaos.reply_lost) {
        return if dice.chance(500) { Fault::Lost } else { Fault::BrokenOff };
    }
    if dice.chance(chaos.http) {
        let (status, body) = dice.pick(&[
            (502, "<html>bad gateway</html>"),
            (503, ""),
            (504, "{}"),
            (500, "oops"),
            (429, ""),
            (200, "<html>maintenance</html>"),
            (200, ""),
            (302, ""),
            (403, "forbidden"),
        ]);
        return Fault::Replaced(status, body);
    }
    if dice.chance(chaos.cut) {
        return Fault::Cut(dice.span(0, 1000));
    }
    Fault::None
}
