package matcher

import (
	"math/bits"

	"prahari/evidence"
)

// Kinds beyond those that package evidence names. They are spelled as in the
// corpus's pattern list.
const (
	EPIC        evidence.Kind = "epic"
	Passport    evidence.Kind = "passport"
	Licence     evidence.Kind = "dl"
	Vehicle     evidence.Kind = "vehicle"
	VehicleBH   evidence.Kind = "vehicle_bh"
	GSTIN       evidence.Kind = "gstin"
	IFSC        evidence.Kind = "ifsc"
	Account     evidence.Kind = "account"
	UPI         evidence.Kind = "upi"
	ABHA        evidence.Kind = "abha"
	ABHAAddress evidence.Kind = "abha_address"
	UAN         evidence.Kind = "uan"
	CoWIN       evidence.Kind = "cowin"
	Ration      evidence.Kind = "ration"
	Challan     evidence.Kind = "challan"
	Consumer    evidence.Kind = "consumer"
	Card        evidence.Kind = "card"
	PIN         evidence.Kind = "pin"
	IMEI        evidence.Kind = "imei"
	IMSI        evidence.Kind = "imsi"
	MAC         evidence.Kind = "mac"
	IP          evidence.Kind = "ip"
	Device      evidence.Kind = "device"
)

// A kindID numbers a built-in kind; user packs add kinds after these.
type kindID uint8

const (
	kNone kindID = iota
	kAadhaar
	kVID
	kMobile
	kPAN
	kEmail
	kDOB
	kEPIC
	kPassport
	kLicence
	kVehicle
	kVehicleBH
	kGSTIN
	kIFSC
	kAccount
	kUPI
	kABHA
	kABHAAddress
	kUAN
	kCoWIN
	kRation
	kChallan
	kConsumer
	kCard
	kPIN
	kIMEI
	kIMSI
	kMAC
	kIP
	kDevice
	kCount
)

//nolint:gochecknoglobals // the inverse of the constants above
var kindNames = [kCount]evidence.Kind{
	"", evidence.Aadhaar, evidence.VID, evidence.Mobile, evidence.PAN, evidence.Email, evidence.DateOfBirth,
	EPIC, Passport, Licence, Vehicle, VehicleBH, GSTIN, IFSC, Account, UPI, ABHA, ABHAAddress, UAN, CoWIN,
	Ration, Challan, Consumer, Card, PIN, IMEI, IMSI, MAC, IP, Device,
}

// kindByName returns the id of a built-in kind, kNone for others.
func kindByName(name evidence.Kind) kindID {
	for id, n := range kindNames {
		if n == name && id > 0 {
			return kindID(id)
		}
	}
	return kNone
}

// A kindSet is a set of built-in kinds.
type kindSet uint64

func setOf(ids ...kindID) kindSet {
	var s kindSet
	for _, id := range ids {
		s |= 1 << id
	}
	return s
}

func (s kindSet) has(id kindID) bool { return s>>id&1 == 1 }

// first returns the member that the constants list first, kNone of none.
func (s kindSet) first() kindID {
	if s == 0 {
		return kNone
	}
	return kindID(bits.TrailingZeros64(uint64(s)))
}

func (s kindSet) len() int { return bits.OnesCount64(uint64(s)) }

// Kinds returns the names of all built-in kinds.
func Kinds() []evidence.Kind {
	return append([]evidence.Kind(nil), kindNames[1:]...)
}
