//! Disks that are full, and folders that cannot be written.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::faults::hasty;
use super::program::Program;
use super::rows;
use super::world::{LONG, Settings, World, assert_exit};

/// A small file system in memory, gone with its value. None where mounting is not allowed.
struct Mounted(PathBuf);

impl Mounted {
    fn at(folder: &Path, options: &str) -> Option<Mounted> {
        std::fs::create_dir_all(folder).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder).stderr(Stdio::null());
        let mounted = mount.status().is_ok_and(|status| status.success());
        mounted.then(|| Mounted(folder.to_owned()))
    }

    fn change(&self, options: &str) {
        let options = format!("remount,{options}");
        let mut mount = Command::new("mount");
        assert!(mount.args(["-o", &options]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: whatever still looks into it is about to end.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn assert_no_submit_without_an_intent(world: &World) {
    let known: Vec<String> = world.intents().into_iter().map(|intent| intent.id).collect();
    for line in world.charge_log().iter().filter(|line| line.event == "request") {
        assert!(known.contains(&line.id), "{} was sent without a committed intent", line.id);
    }
}

#[test]
fn a_full_disk_under_the_ledger_stops_sending_says_so_and_the_batch_goes_on_when_there_is_room() {
    let settings = Settings { submit_rate: "200/s".to_owned(), ..hasty() };
    let mut world = World::with("", 1, &rows::plain(400, &rows::ALL, 1), settings);
    let folder = world.path("small");
    let Some(disk) = Mounted::at(&folder, "size=1100k,mode=0700") else {
        eprintln!("no mount allowed here: a limit of the file size stands for a full disk in another test");
        return;
    };
    world.ledger = folder.join("ledger.db");
    world.configure();
    let mut spoiled = 0;
    for size in [1100, 1300, 1600] {
        disk.change(&format!("size={size}k"));
        let ended = world.topup(&["--settle-for", "20s"]);
        if ended.code == Some(1) {
            spoiled += 1;
            let told = ended.stderr.to_lowercase();
            assert!(told.contains("full") || told.contains("space"), "no word of the full disk: {told}");
        } else {
            assert!([0, 3, 4].contains(&ended.code.unwrap_or(-1)), "{ended:?}");
        }
        if world.requests() > 0 {
            assert_no_submit_without_an_intent(&world);
        }
    }
    assert!(spoiled > 0, "the disk was never full: {:?}", std::fs::metadata(&world.ledger));
    disk.change("size=64m");
    let ended = world.topup(&["--settle-for", "20s"]);
    super::faults::settle_and_check(&world, &ended);
}

#[test]
fn a_limit_of_the_files_size_stops_sending_says_so_and_the_batch_goes_on_without_it() {
    let settings = Settings { submit_rate: "200/s".to_owned(), ..hasty() };
    let world = World::with("", 2, &rows::plain(300, &rows::ALL, 2), settings);
    let mut spoiled = 0;
    // In blocks of 512 bytes: at the tables, at the rows, in the middle of the batch.
    for blocks in [40, 300, 800, 1000, 1300] {
        let mut command = Command::new("/bin/sh");
        world.clothe(&mut command);
        // Writing past the limit is an error then, not a death.
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_bulk-topup")]);
        command.args(["run", "payroll.csv", "--yes", "--json", "--settle-for", "20s"]);
        let ended = Program::start(command, &world.next_stem()).wait(LONG);
        if ended.code == Some(1) {
            spoiled += 1;
            assert!(!ended.stderr.is_empty());
        } else {
            assert!([0, 2, 3, 4].contains(&ended.code.unwrap_or(-1)), "{blocks}: {ended:?}");
        }
        if world.requests() > 0 {
            assert_no_submit_without_an_intent(&world);
        }
    }
    assert!(spoiled > 1, "the limit was never met");
    let ended = world.topup(&["--settle-for", "20s"]);
    let ended = if ended.code == Some(2) { world.run(&["settle", "--json"]) } else { ended };
    super::faults::settle_and_check(&world, &ended);
}

#[test]
fn a_results_folder_that_cannot_be_written_is_refused_before_anything_is_sent() {
    let world = World::new("", 1, &rows::plain(6, &rows::ALL, 1));
    let folder = world.path("sealed");
    // Whoever may write everywhere may not write a file system that is mounted read-only.
    let mounted = Mounted::at(&folder, "size=64k");
    match &mounted {
        Some(disk) => disk.change("ro"),
        None => {
            std::fs::create_dir_all(&folder).unwrap();
            let sealed = std::os::unix::fs::PermissionsExt::from_mode(0o500);
            std::fs::set_permissions(&folder, sealed).unwrap();
        }
    }
    let at = folder.join("out.csv");
    let ended = world.topup(&["-o", at.to_str().unwrap()]);
    assert_exit(&ended, 2);
    assert_eq!(world.requests(), 0);
    let nowhere = world.path("no/such/folder/out.csv");
    assert_exit(&world.topup(&["-o", nowhere.to_str().unwrap()]), 2);
    // Somebody else's file is not written over.
    std::fs::write(world.path("work/mine.csv"), "mine\n").unwrap();
    assert_exit(&world.topup(&["-o", "mine.csv"]), 2);
    assert_eq!(std::fs::read_to_string(world.path("work/mine.csv")).unwrap(), "mine\n");
    assert_eq!(world.requests(), 0);
    let ended = world.topup(&[]);
    assert_exit(&ended, 0);
    world.assert_sound(&ended, true);
}

#[test]
fn a_results_folder_that_fills_up_meanwhile_leaves_the_old_results_whole_and_nothing_lost() {
    let mut world = World::new("settle=2s", 1, &rows::mixed(60, &["0001"], 1));
    let folder = world.path("small");
    let Some(disk) = Mounted::at(&folder, "size=64k,mode=0700") else { return };
    world.results = folder.join("out.csv");
    let out = world.results.to_str().unwrap().to_owned();
    let ended = world.topup(&["--settle-for", "0s", "-o", &out]);
    assert_exit(&ended, 4);
    world.assert_sound(&ended, false);
    let old = std::fs::read(&world.results).unwrap();
    let room = old.len().div_ceil(1024) + 8;
    disk.change(&format!("size={room}k"));
    std::fs::write(folder.join("ballast"), vec![0_u8; 4096]).unwrap();
    let ended = world.run(&["settle", &world.batch(), "--json"]);
    assert_exit(&ended, 1);
    assert_eq!(std::fs::read(&world.results).unwrap(), old, "the old results were spoiled");
    disk.change("size=1m");
    let ended = world.run(&["settle", &world.batch(), "--json"]);
    world.assert_sound(&ended, true);
}
